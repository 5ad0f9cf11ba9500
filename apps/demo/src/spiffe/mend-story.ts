import type { Demo } from "../demo.ts";
import type { ServedRotations } from "../served-rotations.ts";
import { type DatabaseHelper, type DatabaseHelperOptions, startDatabaseHelper } from "./database-helper.ts";

/**
 * The helper again, and now it tells the database and looks at what it serves. Resolves when a handshake has shown the
 * new leaf, which mends it; each of the helper's records is counted.
 */
export async function tellMendStory(
  demo: Demo,
  options: DatabaseHelperOptions,
  served: ServedRotations,
): Promise<DatabaseHelper> {
  demo.tell("step", `newleaf helper again, now with ${options.reload?.replaceAll(/\s+/g, " ")}`);
  const helper = demo.keep(
    await startDatabaseHelper({
      ...options,
      onRecord({ outcome, sha256, serialNumber, at, reason }) {
        if (outcome === "complete") served.proved({ sha256, serialNumber, servedAt: at });
        if (outcome === "stalled" || outcome === "refused")
          demo.problem(`database: rotation ${outcome}: ${reason}`);
      },
    }),
  );
  await helper.firstComplete(demo.signal);
  demo.tell("good", "the database is mended: a handshake shows the new leaf, and nothing was restarted");
  return helper;
}
