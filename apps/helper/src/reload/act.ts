import { readBounded, runChild } from "@newleaf/daemon";
import { signalProcess } from "@newleaf/rotation";
import type { ReloadAction, Secret } from "../config/reload-config.ts";
import { HelperError } from "../error.ts";

/** Tells the process that there is a new certificate. Rejects with the reason when it was not told. */
export async function act(action: ReloadAction, signal: AbortSignal): Promise<void> {
  switch (action.kind) {
    case "watch":
      return;
    case "signal":
      return signalProcess(action.process, action.signal);
    case "nginx":
      if (action.test.length > 0) await run(action.test, signal);
      return signalProcess({ pidFile: action.pidFile }, "SIGHUP");
    case "exec":
      return run(action.command, signal);
    case "http":
      return request(action.url, action.method, signal);
    case "postgres":
      return reloadPostgres(action, signal);
  }
}

async function run(command: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await runChild(command, signal);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new HelperError("ERR_HELPER_RELOAD", message, { cause });
  }
}

async function request(url: string, method: string, signal: AbortSignal): Promise<void> {
  const where = `${method} ${new URL(url).origin}${new URL(url).pathname}`;
  let response: Response;
  try {
    response = await fetch(url, { method, signal, redirect: "error" });
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new HelperError("ERR_HELPER_RELOAD", `${where} failed: ${why}`, { cause });
  }
  await response.body?.cancel();
  if (!response.ok) throw new HelperError("ERR_HELPER_RELOAD", `${where} answered ${response.status}`);
}

/** `pg_reload_conf()` says true also when PostgreSQL then refuses the files: only a handshake tells. */
async function reloadPostgres(
  { dsn, password }: Extract<ReloadAction, { kind: "postgres" }>,
  signal: AbortSignal,
): Promise<void> {
  // Imported on first use, since few need it.
  const { default: pg } = await import("pg");
  const client = new pg.Client({
    connectionString: await connectionString(dsn, password),
    connectionTimeoutMillis: 10_000,
    query_timeout: 10_000,
    application_name: "newleaf helper",
  });
  client.on("error", () => {});
  const stop = () => void client.end().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  try {
    await client.connect();
    await client.query("SELECT pg_reload_conf()");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HelperError("ERR_HELPER_RELOAD", `pg_reload_conf() failed: ${why}`, { cause });
  } finally {
    signal.removeEventListener("abort", stop);
    await client.end().catch(() => {});
  }
}

/** As a parameter, since an address without user or host has no place for a password before the host. */
async function connectionString(dsn: Secret, password: Secret | undefined): Promise<string> {
  const text = await reveal(dsn);
  // A client would take keywords for a path, and nothing at all for a server on this machine.
  if (!URL.canParse(text)) {
    const where = "file" in dsn ? dsn.file : "dsn";
    throw new HelperError(
      "ERR_HELPER_RELOAD",
      `${where} holds no URL, such as postgres://user@host/database`,
    );
  }
  if (password === undefined) return text;
  const url = new URL(text);
  url.searchParams.set("password", await reveal(password));
  return url.href;
}

const MAX_SECRET_BYTES = 64 * 1024;

async function reveal(secret: Secret): Promise<string> {
  if ("text" in secret) return secret.text;
  try {
    const octets = await readBounded(secret.file, MAX_SECRET_BYTES);
    if (octets) return octets.toString("utf8").trim();
  } catch (cause) {
    throw new HelperError("ERR_HELPER_RELOAD", `${secret.file} cannot be read`, { cause });
  }
  throw new HelperError("ERR_HELPER_RELOAD", `${secret.file} is too long for a secret`);
}
