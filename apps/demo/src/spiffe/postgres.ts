import { execFile } from "node:child_process";
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createRotatingPool } from "@newleaf/rotation/pg";
import { spiffe } from "@newleaf/spiffe";
import { asAccount, readAccount } from "./account.ts";
import { freePort, startChild } from "./child.ts";
import { FILES, type PreparedDatabase } from "./database.ts";
import { idOf } from "./spiffe-world.ts";

const run = promisify(execFile);
const HOST = "127.0.0.1";
const MAKE_MS = 60_000;
/** As the common name of the backend's SVID. */
const ROLE = "backend";

/** Makes a cluster of the PostgreSQL in `programs` below `directory`: on loopback, no socket, certificates demanded. */
export async function preparePostgres(
  programs: string,
  directory: string,
  signal: AbortSignal,
): Promise<PreparedDatabase> {
  const account = readAccount();
  const home = join(directory, "postgres");
  const data = join(home, "data");
  await mkdir(home);
  const owner = typeof account === "string" ? undefined : account;
  if (owner) await chown(home, owner.uid, owner.gid);
  const [program = "", ...args] = [
    ...asAccount(account),
    ...[join(programs, "initdb"), "--no-sync", "--auth=reject", `--username=${ROLE}`, "--locale=C"],
    ...["--encoding=UTF8", "--pgdata", data],
  ];
  await run(program, args, { cwd: home, timeout: MAKE_MS, signal });
  await writeFile(join(data, "pg_hba.conf"), `hostssl all all ${HOST}/32 cert clientcert=verify-full\n`);

  return {
    owner: owner && `${owner.uid}:${owner.gid}`,
    async start(certificates) {
      const port = await freePort();
      const settings = {
        listen_addresses: HOST,
        port: String(port),
        unix_socket_directories: "",
        fsync: "off",
        ssl: "on",
        ssl_cert_file: join(certificates, FILES.certificate),
        ssl_key_file: join(certificates, FILES.key),
        ssl_ca_file: join(certificates, FILES.bundle),
      };
      const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
      const child = await startChild([...asAccount(account), join(programs, "postgres"), "-D", data, ...options], {
        name: "postgresql",
        cwd: home,
        // Fast shutdown: sessions that are still open do not hold it up.
        stopSignal: "SIGINT",
      }); // biome-ignore format: one command line
      return {
        child,
        target: `postgres://${HOST}:${port}`,
        dataDirectory: data,
        reload: `reload "postgres" {
  data_dir = ${JSON.stringify(data)}
  verify { address = "${HOST}:${port}" timeout = "3s" }
}`,
        connect(identity, sessions) {
          const pool = createRotatingPool(identity, {
            host: HOST,
            port,
            database: "postgres",
            user: ROLE,
            authorizeServer: spiffe.id(idOf("database")),
            connectionTimeoutMillis: 10_000,
            query_timeout: 10_000,
            ...(sessions === "each" ? { max: 2, maxUses: 1 } : { max: 4 }),
          });
          return {
            rotation: pool.rotation,
            query: async () => void (await pool.query("select 1")),
            [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
          };
        },
        [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
      };
    },
  };
}
