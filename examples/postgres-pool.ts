// A pool for anything that takes one of `pg`: plain queries, or a query builder on top, here Kysely.
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { watchFiles } from "@newleaf/rotation";
import { createRotatingPool } from "@newleaf/rotation/pg";
import { Kysely, PostgresDialect, sql } from "kysely";

await using identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
await using pool = createRotatingPool(identity, {
  connectionString: process.env.DATABASE_URL ?? "postgres://db",
});
const db = new Kysely<{ pg_stat_ssl: { pid: number; client_serial: string } }>({
  dialect: new PostgresDialect({ pool }),
});

const stopped = once(process, "SIGTERM");
let running = true;
void stopped.then(() => {
  running = false;
});
while (running) {
  const { serial } = await db
    .selectFrom("pg_stat_ssl")
    .select(sql<string>`client_serial::text`.as("serial"))
    .where("pid", "=", sql<number>`pg_backend_pid()`)
    .executeTakeFirstOrThrow();
  console.log(`PostgreSQL knows us by serial ${serial}`);
  await Promise.race([stopped, delay(200)]);
}
