import type { Bench } from "./bench.ts";
import { compareFirstFiles } from "./helper-first-files.ts";
import { compareReloads } from "./helper-reload.ts";
import { compareUpdates } from "./helper-update.ts";
import { locateCredentialHelpers } from "./peers/credential-helper.ts";

/** Programs that write what a Workload API sends to files: their start, an update's files, and a program told of it. */
export const helper: Bench = {
  name: "helper",
  async run(context) {
    const { programs, absent } = await locateCredentialHelpers();
    const first = await compareFirstFiles(programs, context);
    const updates = await compareUpdates(programs, context);
    const reloads = await compareReloads(programs, context);
    return {
      method:
        "ms, by turns; P-256, folders on disk, a reader that looks every ms, the Workload API in the bench's own process",
      tables: [...first.tables, ...updates.tables, ...reloads.tables],
      targets: updates.targets,
      samples: { ...first.samples, ...updates.samples, ...reloads.samples },
      absent,
    };
  },
};
