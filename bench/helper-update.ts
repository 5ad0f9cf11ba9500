import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BenchContext, BenchResult, Table, Target } from "./bench.ts";
import { residentMb } from "./cpu-time.ts";
import { startFileReader } from "./file-reader.ts";
import {
  type CredentialHelper,
  type CredentialHelperProgram,
  startCredentialHelper,
} from "./peers/credential-helper.ts";
import { median, quantile } from "./quantile.ts";
import type { ReaderTotals } from "./servers/credential-reader.ts";
import { startWorkload, type Workload } from "./workload.ts";

const rounds = 4;

interface Entry {
  readonly program: CredentialHelperProgram;
  readonly workload: Workload;
  readonly helper: CredentialHelper;
  readonly ms: number[];
  readonly totals: ReaderTotals[];
}

/** From an update that the Workload API sends to the files that a reader finds whole and matching. */
export async function compareUpdates(
  programs: readonly CredentialHelperProgram[],
  { quick, home, log }: BenchContext,
): Promise<Required<Pick<BenchResult, "tables" | "targets" | "samples">>> {
  const updates = quick ? 40 : 1000;
  const entries: Entry[] = [];
  try {
    for (const [place, program] of programs.entries()) {
      const workload = await startWorkload(join(home, `update-${place}`));
      const helper = await startCredentialHelper(program, workload);
      entries.push({ program, workload, helper, ms: [], totals: [] });
    }
    for (let round = 0; round < rounds; round++) {
      for (const entry of entries) {
        log(`helper: updates, round ${round + 1} of ${rounds}, ${entry.program.title}`);
        await measure(entry, updates / rounds);
      }
    }
    return {
      tables: [tableOf(entries, updates)],
      targets: targetsOf(entries),
      samples: Object.fromEntries(entries.map(({ program, ms }) => [`${program.title}, update`, ms])),
    };
  } finally {
    for (const { helper, workload } of entries) {
      await helper.stop();
      await workload[Symbol.asyncDispose]();
    }
  }
}

async function measure({ workload, ms, totals }: Entry, updates: number): Promise<void> {
  await using reader = await startFileReader(workload.directory);
  await reader.whenComplete(workload.serialNumber());
  for (let update = 0; update < updates; update++) {
    await delay(5 + Math.random() * 10);
    const { serialNumber, sentNs } = workload.push();
    ms.push(((await reader.whenComplete(serialNumber)) - sentNs) / 1e6);
  }
  totals.push(await reader.totals());
}

function sum(entry: Entry, of: (totals: ReaderTotals) => number): number {
  return entry.totals.reduce((total, each) => total + of(each), 0);
}

function tableOf(entries: readonly Entry[], updates: number): Table {
  return {
    title: `${updates} updates in ${rounds} rounds: from the Workload API's message to certificate, key and bundle of it`,
    rows: entries.map((entry) => ({
      helper: entry.program.title,
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
  };
}

function targetsOf(entries: readonly Entry[]): readonly Target[] {
  const theirs = entries.find(({ program }) => program.name === "spiffe-helper");
  const ours = entries.filter((entry) => entry !== theirs);
  return ours.flatMap((entry) => {
    const broken = sum(entry, ({ bySet }) => bySet.mismatched);
    const met: Target = {
      what: `${entry.program.title}: mismatched sets`,
      wanted: "0",
      measured: String(broken),
      met: broken === 0,
    };
    if (theirs === undefined) return [met];
    const [p50, other] = [median(entry.ms), median(theirs.ms)];
    return [
      met,
      {
        what: `${entry.program.title}: p50`,
        wanted: `at most ${other.toFixed(2)} ms, as ${theirs.program.title}`,
        measured: `${p50.toFixed(2)} ms`,
        met: p50 <= other,
      },
    ];
  });
}
