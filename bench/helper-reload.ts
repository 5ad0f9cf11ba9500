import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { BenchContext, BenchResult, Table } from "./bench.ts";
import { type Conversation, startConversation } from "./conversation.ts";
import { sameSerial } from "./file-reader.ts";
import {
  type CredentialHelperProgram,
  startCredentialHelper,
  writeConfig,
} from "./peers/credential-helper.ts";
import { median, quantile } from "./quantile.ts";
import type { ReloadTargetReady, Signalled } from "./servers/reload-target.ts";
import { startWorkload, type Workload } from "./workload.ts";

const rounds = 4;

interface Entry extends AsyncDisposable {
  readonly title: string;
  /** `told`: the signal has come. `proved`: a handshake has shown the new certificate, and the record is logged. */
  readonly end: "told" | "proved";
  readonly workload: Workload;
  readonly ms: number[];
  /** When this certificate's end came, on the machine's monotonic clock. */
  whenDone(serialNumber: string | undefined): Promise<number>;
}

/** From the Workload API's message to the signal to a TLS server, and to the proof that it serves the certificate. */
export async function compareReloads(
  programs: readonly CredentialHelperProgram[],
  { quick, home, log }: BenchContext,
): Promise<Required<Pick<BenchResult, "tables" | "samples">>> {
  const updates = quick ? 8 : 60;
  const entries: Entry[] = [];
  try {
    for (const [place, program] of programs.entries()) {
      entries.push(await startTold(program, join(home, `told-${place}`)));
      if (program.name === "spiffe-helper") continue;
      entries.push(await startProved(program, join(home, `proved-${place}`)));
    }
    for (const { workload, whenDone } of entries) await whenDone(workload.serialNumber());
    for (let round = 0; round < rounds; round++) {
      for (const entry of entries) {
        log(`helper: reloads, round ${round + 1} of ${rounds}, ${entry.title}, ${entry.end}`);
        for (let update = 0; update < updates / rounds; update++) await updateOnce(entry);
      }
    }
    return {
      tables: [tableOf(entries, updates)],
      samples: Object.fromEntries(entries.map(({ title, end, ms }) => [`${title}, ${end}`, ms])),
    };
  } finally {
    for (const entry of entries) await entry[Symbol.asyncDispose]();
  }
}

async function updateOnce({ workload, ms, whenDone }: Entry): Promise<void> {
  // A message comes to a helper that is at rest.
  await delay(20 + Math.random() * 10);
  const { serialNumber, sentNs } = workload.push();
  ms.push(((await whenDone(serialNumber)) - sentNs) / 1e6);
}

/** With the keys that all helpers have. */
async function startTold(program: CredentialHelperProgram, place: string): Promise<Entry> {
  const { workload, target, pidFile } = await startTarget(place);
  const lines = [`pid_file_name = "${pidFile}"`, 'renew_signal = "SIGHUP"'];
  const helper = await startCredentialHelper(program, { ...workload, lines });
  return {
    title: program.title,
    end: "told",
    workload,
    ms: [],
    async whenDone(serialNumber) {
      for (;;) {
        const signalled = (await target.next()) as Signalled;
        if (sameSerial(signalled.serialNumber, serialNumber)) return signalled.atNs;
      }
    },
    async [Symbol.asyncDispose]() {
      await helper.stop();
      await target[Symbol.asyncDispose]();
      await workload[Symbol.asyncDispose]();
    },
  };
}

async function startProved({ title, program, args }: CredentialHelperProgram, place: string): Promise<Entry> {
  const { workload, target, pidFile, port } = await startTarget(place);
  const block = `reload "server" { kind = "signal"
  pid_file = "${pidFile}"
  verify { address = "127.0.0.1:${port}" } }`;
  const config = writeConfig({ ...workload, lines: [block] });
  const log = await startConversation({ program, args: [...args, "-config", config], from: "stderr" });
  return {
    title,
    end: "proved",
    workload,
    ms: [],
    async whenDone(serialNumber) {
      for (;;) {
        const line = (await log.next()) as LogLine;
        const atNs = Number(process.hrtime.bigint());
        if (line.msg !== "rotation complete" || line.serialNumber === undefined) continue;
        if (sameSerial(line.serialNumber, serialNumber)) return atNs;
      }
    },
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]();
      await target[Symbol.asyncDispose]();
      await workload[Symbol.asyncDispose]();
    },
  };
}

interface LogLine {
  readonly msg: string;
  readonly serialNumber?: string;
}

async function startTarget(
  place: string,
): Promise<{ workload: Workload; target: Conversation; pidFile: string; port: number }> {
  const workload = await startWorkload(place);
  const pidFile = join(workload.workDirectory, "target.pid");
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const script = join(import.meta.dirname, "servers/reload-target.ts");
  const target = await startConversation({
    program: process.execPath,
    args: ["--import", tsx, script, workload.directory, pidFile],
  });
  const { port } = (await target.next()) as ReloadTargetReady;
  return { workload, target, pidFile, port };
}

function tableOf(entries: readonly Entry[], updates: number): Table {
  return {
    title: `${updates} updates in ${rounds} rounds: from the Workload API's message to the program's signal (told), and to the record of a handshake with the new certificate (proved)`,
    rows: entries.map(({ title, end, ms }) => ({
      helper: title,
      until: end,
      p50: median(ms),
      p90: quantile(ms, 0.9),
      max: Math.max(...ms),
    })),
  };
}
