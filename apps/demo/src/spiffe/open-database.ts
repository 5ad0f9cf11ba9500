import type { Demo } from "../demo.ts";
import type { PreparedDatabase } from "./database.ts";
import type { Parts } from "./find-parts.ts";
import { preparePostgres } from "./postgres.ts";
import { prepareStandIn } from "./stand-in.ts";

/** PostgreSQL where it can be had, otherwise the stand-in, and says which. */
export async function prepareDatabase(
  demo: Demo,
  parts: Parts,
  directory: string,
): Promise<{ readonly database: PreparedDatabase; readonly isPostgres: boolean }> {
  const standIn = (why: string) => {
    demo.tell("step", `${why}: a stand-in that reads its files as it does, at the start and when told`);
    return { database: prepareStandIn(directory), isPostgres: false };
  };
  if (parts.postgres === undefined) return standIn("postgresql is not on this machine, or cannot run here");
  try {
    demo.tell("step", `a cluster of the postgresql in ${parts.postgres}`);
    return { database: await preparePostgres(parts.postgres, directory, demo.signal), isPostgres: true };
  } catch (error) {
    demo.signal.throwIfAborted();
    const [reason] = (error instanceof Error ? error.message : String(error)).split("\n");
    return standIn(`initdb does not work here (${reason})`);
  }
}
