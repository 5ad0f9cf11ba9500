import { type AdminRoute, type AdminServer, serveAdmin } from "./admin-server.ts";
import { delay } from "./backoff.ts";
import type { CommandContext } from "./command.ts";
import type { Health } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { runTasks, type Task } from "./tasks.ts";

/** What a long-running program is made of. */
export interface DaemonParts {
  readonly health: Health;
  readonly metrics: Metrics;
  readonly tasks: readonly Task[];
  /** More admin paths, such as `/rotations`. */
  readonly routes?: Readonly<Record<string, AdminRoute>>;
  /** SIGHUP: re-read sources now. A failure is logged. */
  readonly reload?: () => void | Promise<void>;
}

/**
 * Runs the tasks of a long-running command with its admin server. On SIGTERM or SIGINT: readiness off, keep
 * serving for `--shutdown-delay`, then abort the tasks and wait for them within `--grace`. The admin server
 * closes last, so a prober sees "shutting down" to the end.
 */
export async function runDaemon(context: CommandContext, parts: DaemonParts): Promise<void> {
  const { logger, signal, daemon } = context;
  using _reload = context.onReload(() => void reload(context, parts));
  await using admin = await startAdmin(context, parts);
  if (admin !== undefined) logger.info({ url: admin.url }, "admin listening");

  const stop = new AbortController();
  const ended = new AbortController();
  const onStop = async () => {
    parts.health.shutDown("shutting down");
    logger.info({ reason: String(signal.reason?.message ?? "stopped"), graceMs: daemon.graceMs }, "stopping");
    await delay(daemon.shutdownDelayMs, ended.signal).catch(() => {});
    stop.abort(signal.reason);
  };
  const listener = () => void onStop();
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
  try {
    await runTasks(stop.signal, parts.tasks, {
      drainMs: Math.max(0, daemon.graceMs - daemon.shutdownDelayMs),
    });
  } finally {
    signal.removeEventListener("abort", listener);
    parts.health.shutDown("stopped");
    ended.abort();
  }
  logger.info({}, "stopped");
}

async function startAdmin(context: CommandContext, parts: DaemonParts): Promise<AdminServer | undefined> {
  const address = context.daemon.admin;
  if (address === undefined) return undefined;
  const { health, metrics, routes } = parts;
  return serveAdmin({ address, health, metrics, ...(routes === undefined ? {} : { routes }) });
}

async function reload(context: CommandContext, parts: DaemonParts): Promise<void> {
  context.logger.info({}, "reloading on SIGHUP");
  try {
    await parts.reload?.();
  } catch (error) {
    context.logger.error({ error: error instanceof Error ? error.message : String(error) }, "reload failed");
  }
}
