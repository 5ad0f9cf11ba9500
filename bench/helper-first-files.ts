import { join } from "node:path";
import type { BenchContext, BenchResult } from "./bench.ts";
import { startFileReader } from "./file-reader.ts";
import { type CredentialHelperProgram, startCredentialHelper } from "./peers/credential-helper.ts";
import { median } from "./quantile.ts";
import { startWorkload } from "./workload.ts";

/** From starting the program to the first set of files, in a folder that was empty; one program at a time. */
export async function compareFirstFiles(
  programs: readonly CredentialHelperProgram[],
  { quick, home, log }: BenchContext,
): Promise<Required<Pick<BenchResult, "tables" | "samples">>> {
  const starts = quick ? 2 : 10;
  const entries = programs.map((program) => ({ program, ms: [] as number[] }));
  for (let start = 0; start < starts; start++) {
    log(`helper: start ${start + 1} of ${starts}`);
    for (const [place, { program, ms }] of entries.entries()) {
      ms.push(await firstFilesMs(program, join(home, `start-${place}-${start}`)));
    }
  }
  return {
    tables: [
      {
        title: `${starts} starts: from starting the program to the first certificate, key and bundle that fit`,
        rows: entries.map(({ program, ms }) => ({
          helper: program.title,
          p50: median(ms),
          min: Math.min(...ms),
          max: Math.max(...ms),
        })),
      },
    ],
    samples: Object.fromEntries(entries.map(({ program, ms }) => [`${program.title}, start`, ms])),
  };
}

async function firstFilesMs(program: CredentialHelperProgram, place: string): Promise<number> {
  await using workload = await startWorkload(place);
  await using reader = await startFileReader(workload.directory);
  const helper = await startCredentialHelper(program, workload);
  try {
    const atNs = await reader.whenComplete(workload.serialNumber());
    return (atNs - helper.spawnedNs) / 1e6;
  } finally {
    await helper.stop();
  }
}
