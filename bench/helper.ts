import { type ChildProcess, fork } from "node:child_process";
import { on } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createSpiffeAuthority, startWorkloadApi, type WorkloadApiServer } from "@newleaf/testing";
import type { Bench, Table, Target } from "./bench.ts";
import { residentMb } from "./cpu-time.ts";
import {
  type CredentialHelper,
  type CredentialHelperName,
  startCredentialHelper,
} from "./peers/credential-helper.ts";
import { PeerError } from "./peers/peer.ts";
import { median, quantile } from "./quantile.ts";
import type { ReaderMessage, ReaderTotals } from "./servers/credential-reader.ts";

const names: readonly CredentialHelperName[] = ["Newleaf, LTS Node", "Newleaf, this Node", "spiffe-helper"];
const rounds = 4;
const answerTimeoutMs = 30_000;

interface Entry {
  readonly name: CredentialHelperName;
  readonly api: WorkloadApiServer;
  readonly helper: CredentialHelper;
  readonly directory: string;
  readonly ms: number[];
  readonly totals: ReaderTotals[];
}

/** From an update that the Workload API sends to the files that a reader finds whole and matching. */
export const helper: Bench = {
  name: "helper",
  async run(context) {
    const updates = context.quick ? 40 : 1000;
    const entries: Entry[] = [];
    const absent: string[] = [];
    try {
      for (const name of names) {
        const entry = await startEntry(name, context.home);
        if ("absent" in entry) absent.push(entry.absent);
        else entries.push(entry);
      }
      for (let round = 0; round < rounds; round++) {
        for (const entry of entries) {
          context.log(`helper: round ${round + 1} of ${rounds}, ${entry.helper.title}`);
          await measure(entry, updates / rounds);
        }
      }
      return {
        method: `ms from the Workload API's message until a reader that looks every ms finds certificate, key and bundle of it; ${updates} updates each, in ${rounds} rounds by turns; P-256, a folder on disk`,
        tables: tablesOf(entries, updates),
        targets: targetsOf(entries),
        samples: Object.fromEntries(entries.map((entry) => [entry.helper.title, entry.ms])),
        absent,
      };
    } finally {
      for (const entry of entries) {
        await entry.helper.stop();
        await entry.api[Symbol.asyncDispose]();
      }
    }
  },
};

async function startEntry(name: CredentialHelperName, home: string): Promise<Entry | { absent: string }> {
  const place = join(home, name.replaceAll(/[^A-Za-z]+/g, "-"));
  const [directory, workDirectory] = [join(place, "certs"), join(place, "work")];
  for (const folder of [directory, workDirectory]) mkdirSync(folder, { recursive: true });
  const socketPath = join(place, "api.sock");
  const authority = createSpiffeAuthority({ trustDomain: "example.org" });
  const api = await startWorkloadApi({ authority, path: socketPath });
  try {
    const started = await startCredentialHelper(name, { socketPath, directory, workDirectory });
    await api.until(({ open }) => open.FetchX509SVID > 0, answerTimeoutMs);
    return { name, api, helper: started, directory, ms: [], totals: [] };
  } catch (error) {
    await api[Symbol.asyncDispose]();
    if (error instanceof PeerError && error.code === "unavailable") {
      return { absent: `${name}: ${error.message}` };
    }
    throw error;
  }
}

async function measure({ api, directory, ms, totals }: Entry, updates: number): Promise<void> {
  const reader = forkReader(directory);
  const messages = on(reader, "message", { close: ["exit"], signal: AbortSignal.timeout(600_000) });
  const next = async (): Promise<ReaderMessage> => {
    const result = await Promise.race([messages.next(), delay(answerTimeoutMs, undefined, { ref: false })]);
    if (!result || result.done) throw new Error("no complete set of files in time");
    const [message] = result.value as [ReaderMessage];
    return message;
  };
  try {
    await next();
    for (let update = 0; update < updates; update++) {
      await delay(5 + Math.random() * 10);
      const serial = api.rotate()[0]?.identity.certificate.serialNumber.toUpperCase();
      const sentNs = Number(process.hrtime.bigint());
      for (;;) {
        const message = await next();
        if (!("complete" in message) || !sameSerial(message.complete, serial)) continue;
        ms.push((message.atNs - sentNs) / 1e6);
        break;
      }
    }
    reader.send("end");
    for (;;) {
      const message = await next();
      if (!("totals" in message)) continue;
      totals.push(message.totals);
      break;
    }
  } finally {
    reader.kill("SIGKILL");
  }
}

/** One of them may have a leading zero that the other lacks. */
function sameSerial(a: string, b: string | undefined): boolean {
  return b !== undefined && BigInt(`0x${a}`) === BigInt(`0x${b}`);
}

function forkReader(directory: string): ChildProcess {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  return fork(join(import.meta.dirname, "servers/credential-reader.ts"), [directory], {
    execArgv: ["--import", tsx],
  });
}

function sum(entry: Entry, of: (totals: ReaderTotals) => number): number {
  return entry.totals.reduce((total, each) => total + of(each), 0);
}

function tablesOf(entries: readonly Entry[], updates: number): readonly Table[] {
  return [
    {
      title: `${updates} updates`,
      rows: entries.map((entry) => ({
        helper: entry.helper.title,
        p50: median(entry.ms),
        p99: quantile(entry.ms, 0.99),
        max: Math.max(...entry.ms),
        reads: sum(entry, ({ reads }) => reads),
        "mismatched, by name": sum(entry, ({ byName }) => byName.mismatched),
        "missing, by name": sum(entry, ({ byName }) => byName.missing),
        "mismatched, by set": sum(entry, ({ bySet }) => bySet.mismatched),
        "missing, by set": sum(entry, ({ bySet }) => bySet.missing),
        "resident MB": residentMb(entry.helper.pid),
      })),
    },
  ];
}

function targetsOf(entries: readonly Entry[]): readonly Target[] {
  const theirs = entries.find(({ name }) => name === "spiffe-helper");
  const ours = entries.filter(({ name }) => name !== "spiffe-helper");
  return ours.flatMap((entry) => {
    const broken = sum(entry, ({ bySet }) => bySet.mismatched);
    const met: Target = {
      what: `${entry.helper.title}: mismatched sets`,
      wanted: "0",
      measured: String(broken),
      met: broken === 0,
    };
    if (theirs === undefined) return [met];
    const [p50, other] = [median(entry.ms), median(theirs.ms)];
    return [
      met,
      {
        what: `${entry.helper.title}: p50`,
        wanted: `at most ${other.toFixed(2)} ms, as ${theirs.helper.title}`,
        measured: `${p50.toFixed(2)} ms`,
        met: p50 <= other,
      },
    ];
  });
}
