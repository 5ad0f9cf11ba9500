import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { IdentitySource } from "@newleaf/rotation";
import { watchSpiffe } from "@newleaf/spiffe";
import type { Demo } from "../demo.ts";
import { untilAnswered } from "./child.ts";
import type { Database } from "./database.ts";
import { type DatabaseHelper, type DatabaseHelperOptions, startDatabaseHelper } from "./database-helper.ts";
import type { Parts } from "./find-parts.ts";
import { prepareDatabase } from "./open-database.ts";
import { LIFE_MS, type SpiffeWorld, startSpiffeWorld } from "./spiffe-world.ts";

/** What both acts play on: a database with files of the helper's, which tells nobody, and the backend's identity. */
export interface Stage {
  readonly world: SpiffeWorld;
  readonly database: Database;
  readonly isPostgres: boolean;
  /** Where the helper writes and the database reads. */
  readonly certificates: string;
  readonly identity: IdentitySource;
  readonly helper: DatabaseHelper;
  readonly helperOptions: DatabaseHelperOptions;
}

/** Everything is taken down with the demo. */
export async function setTheStage(demo: Demo, parts: Parts): Promise<Stage> {
  const seconds = LIFE_MS / 1_000;
  demo.tell("step", `a SPIFFE trust domain; SVIDs live ${seconds} s and are replaced after ${seconds / 2} s`);
  const world = demo.keep(await startSpiffeWorld());
  const { database: prepared, isPostgres } = await prepareDatabase(demo, parts, world.directory);
  world.startRenewing();
  const certificates = join(world.directory, "certs");
  await mkdir(certificates, { mode: 0o755 });
  const helperOptions = {
    directory: world.directory,
    certificates,
    address: world.address("database"),
    owner: prepared.owner,
  };
  const helper = demo.keep(await startDatabaseHelper(helperOptions));
  await helper.firstComplete(demo.signal);
  const identity = demo.keep(await watchSpiffe({ address: world.address("backend"), signal: demo.signal }));
  const database = demo.keep(await prepared.start(certificates));
  await using first = database.connect(identity, "each");
  await untilAnswered(database.child, () => first.query(), demo.signal);
  demo.tell(
    "step",
    `${database.child.name} has read the files of newleaf helper, which tells nobody when they change`,
  );
  return { world, database, isPostgres, certificates, identity, helper, helperOptions };
}
