import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import pg from "pg";
import type { PostgresFacts, SessionFacts } from "../facts.ts";
import type { StoreLocation } from "./look-at-store.ts";
import {
  type PostgresTlsSettings,
  parsePostgresConf,
  parsePostmasterOpts,
  tlsSettings,
} from "./postgres-settings.ts";

/** What PostgreSQL says of itself, and where it reads its TLS files from, when that was found out. */
export interface PostgresLook {
  readonly facts: PostgresFacts;
  readonly store?: StoreLocation;
}

const SETTINGS = `select name, setting from pg_settings
  where name in ('data_directory', 'ssl_cert_file', 'ssl_key_file', 'ssl_ca_file')`;
const TIMES = "select pg_postmaster_start_time() as started, pg_conf_load_time() as loaded";

/** Through a connection. Whatever goes wrong is a fact, too. */
export async function askPostgres(connectionString: string, timeoutMs: number): Promise<PostgresLook> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: "newleaf doctor",
  });
  client.on("error", () => {});
  const name = client.host;
  try {
    await client.connect();
    const settings = new Map(
      (await client.query<{ name: string; setting: string }>(SETTINGS)).rows.map((row) => [
        row.name,
        row.setting,
      ]),
    );
    const [times] = (await client.query<{ started: Date; loaded: Date }>(TIMES)).rows;
    const sessions = await sessionsOf(client);
    // Where its files are is for privileged users only, and of use only where they are: on its own machine.
    const directory = settings.get("data_directory") || undefined;
    const owner = await ownerOf(directory);
    return {
      facts: {
        name,
        ...(directory === undefined ? {} : { dataDirectory: directory }),
        ...owner,
        ...(times ? { startedAt: times.started, loadedAt: times.loaded } : {}),
        sessions,
      },
      ...(directory === undefined || owner.uid === undefined
        ? {}
        : { store: storeOf(directory, tlsSettings([settings])) }),
    };
  } catch (error) {
    return { facts: { name, problem: error instanceof Error ? error.message : String(error) } };
  } finally {
    await client.end().catch(() => {});
  }
}

async function sessionsOf(client: pg.Client): Promise<readonly SessionFacts[]> {
  const { rows } = await client.query<{ since: Date; user: string; application: string; serial: string }>(
    SESSIONS_WITH_CERTIFICATE,
  );
  return rows.map(({ since, user, application, serial }) => ({
    since,
    user,
    application,
    serialNumber: BigInt(serial).toString(16),
  }));
}

const SESSIONS_WITH_CERTIFICATE = `select a.backend_start as since, coalesce(a.usename, '') as user,
  coalesce(a.application_name, '') as application, s.client_serial::text as serial
  from pg_stat_ssl s join pg_stat_activity a using (pid)
  where s.client_serial is not null and a.pid <> pg_backend_pid() limit 10000`;

/** From the data directory alone: settings and start, not the last reload, which is nowhere on disk. */
export async function readPostgresDirectory(directory: string): Promise<PostgresLook> {
  const file = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");
  const options = parsePostmasterOpts(await file(join(directory, "postmaster.opts")));
  const main = options.get("config_file") ?? "postgresql.conf";
  const [conf, auto, pid] = await Promise.all([
    file(resolve(directory, main)),
    file(join(directory, "postgresql.auto.conf")),
    file(join(directory, "postmaster.pid")),
  ]);
  const settings = tlsSettings([options, parsePostgresConf(auto), parsePostgresConf(conf)]);
  const started = Number(pid.split("\n")[2]);
  const problem = conf === "" ? `${resolve(directory, main)} cannot be read` : undefined;
  return {
    facts: {
      name: directory,
      dataDirectory: directory,
      ...(await ownerOf(directory)),
      ...(started > 0 ? { startedAt: new Date(started * 1_000) } : {}),
      ...(problem === undefined ? {} : { problem }),
    },
    store: storeOf(directory, settings),
  };
}

function storeOf(dataDirectory: string, settings: PostgresTlsSettings): StoreLocation {
  const at = (path: string): string => resolve(dataDirectory, path);
  const certificate = at(settings.ssl_cert_file);
  return {
    name: dirname(certificate),
    certificate,
    key: at(settings.ssl_key_file),
    ...(settings.ssl_ca_file === "" ? {} : { trust: at(settings.ssl_ca_file) }),
  };
}

async function ownerOf(directory: string | undefined): Promise<{ uid?: number }> {
  if (directory === undefined) return {};
  return stat(directory).then(
    ({ uid }) => ({ uid }),
    () => ({}),
  );
}
