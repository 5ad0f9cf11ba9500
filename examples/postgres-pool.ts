// A pool for anything that takes one of `pg`: queries as here, or a query builder on top, such as
// drizzle({ client: pool }) or new Kysely({ dialect: new PostgresDialect({ pool }) }).
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { watchFiles } from "@newleaf/rotation";
import { createRotatingPool } from "@newleaf/rotation/pg";

await using identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
await using pool = createRotatingPool(identity, {
  connectionString: process.env.DATABASE_URL ?? "postgres://db",
});

const stopped = once(process, "SIGTERM");
let running = true;
void stopped.then(() => {
  running = false;
});
while (running) {
  const { rows } = await pool.query<{ serial: string }>(
    "select client_serial::text as serial from pg_stat_ssl where pid = pg_backend_pid()",
  );
  console.log(`PostgreSQL knows us by serial ${rows[0]?.serial}`);
  await Promise.race([stopped, delay(200)]);
}
