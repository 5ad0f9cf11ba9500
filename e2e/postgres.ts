import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePort, type PeerProcess, startProcess } from "../bench/peers/peer.ts";
import { run } from "./process.ts";
import { until } from "./until.ts";

/** A PostgreSQL cluster of our own on loopback, as a user without privileges. */
export interface Postgres extends AsyncDisposable {
  readonly port: number;
  /** What `pg_ctl reload` sends. */
  reload(): void;
}

/**
 * Makes and starts a cluster below `directory`, which its user must be able to enter. It serves `tls.crt` and `tls.key`
 * of `certificates`, or no TLS at all without.
 */
export async function startPostgres(
  program: string,
  directory: string,
  certificates?: string,
): Promise<Postgres> {
  const data = join(directory, "data");
  const account = unprivileged();
  handOver(directory);
  const [initdb = "", ...initArgs] = [
    ...account,
    join(dirname(program), "initdb"), "--no-sync", "--auth", "trust", "--username", "newleaf", "--pgdata", data,
  ]; // biome-ignore format: one command line
  execFileSync(initdb, initArgs, { stdio: ["ignore", "ignore", "pipe"], cwd: directory });

  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    fsync: "off",
    ...(certificates === undefined
      ? {}
      : {
          ssl: "on",
          ssl_cert_file: join(certificates, "tls.crt"),
          ssl_key_file: join(certificates, "tls.key"),
        }),
  };
  const [command = "", ...args] = [
    ...account,
    program,
    ...["-D", data],
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
  const peer: PeerProcess = await startProcess({
    name: "postgres",
    program: command,
    args,
    port,
    workDirectory: directory,
  });
  // The port is open before the server takes sessions.
  const isReady = ["-h", "127.0.0.1", "-p", String(port), "-q"];
  await until("PostgreSQL takes sessions", async () => {
    return (await run(join(dirname(program), "pg_isready"), isReady)).code === 0;
  });
  return { port, reload: () => peer.signal("SIGHUP"), [Symbol.asyncDispose]: () => peer.stop() };
}

/** PostgreSQL takes a key only from a file of its own user that nobody else can read; it never runs as root. */
export function handOver(directory: string): void {
  if (process.getuid?.() !== 0) return;
  const [uid = 0, gid = 0] = ["-u", "-g"].map((flag) =>
    Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" })),
  );
  chownSync(directory, uid, gid);
  for (const name of readdirSync(directory)) chownSync(join(directory, name), uid, gid);
  chmodSync(directory, 0o755);
}

function unprivileged(): string[] {
  if (process.getuid?.() !== 0) return [];
  return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
}
