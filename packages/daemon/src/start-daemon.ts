import { type AdminRoute, type AdminServer, serveAdmin } from "./admin-server.ts";
import { delay } from "./backoff.ts";
import type { CommandContext } from "./command.ts";
import type { Health } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { runTasks, type Task } from "./tasks.ts";

/** What a long-running program shows of itself from its first moment. */
export interface DaemonFace {
  readonly health: Health;
  readonly metrics: Metrics;
}

/** What it does once it has all it needs. */
export interface DaemonWork {
  readonly tasks: readonly Task[];
  /** More admin paths, such as `/rotations`. */
  readonly routes?: Readonly<Record<string, AdminRoute>>;
  /** SIGHUP: re-read sources now. A failure is logged. */
  readonly reload?: () => void | Promise<void>;
}

/** A long-running program whose admin server listens; disposal closes that. */
export interface Daemon extends AsyncDisposable {
  /**
   * Runs the tasks until they end or the command is stopped. On SIGTERM or SIGINT: readiness off, keep serving for
   * `--shutdown-delay`, then abort the tasks and wait for them within `--grace`. To be called once.
   */
  run(work: DaemonWork): Promise<void>;
}

/**
 * Opens the admin server before what the command needs is there: alive, and not ready until `run` is called. Checks
 * registered in between say what is waited for. Dispose it last, so that a prober sees "shutting down" to the end.
 */
export async function startDaemon(context: CommandContext, { health, metrics }: DaemonFace): Promise<Daemon> {
  const starting = health.addReadiness("start", () => ({ ok: false, reason: "still starting" }));
  const admin = await startAdmin(context, { health, metrics });
  if (admin !== undefined) context.logger.info({ url: admin.url }, "admin listening");
  return {
    async run(work) {
      using _reload = context.onReload(() => void reload(context, work));
      admin?.addRoutes(work.routes ?? {});
      starting[Symbol.dispose]();
      await runUntilStopped(context, health, work.tasks);
    },
    async [Symbol.asyncDispose]() {
      await admin?.[Symbol.asyncDispose]();
    },
  };
}

async function startAdmin(context: CommandContext, face: DaemonFace): Promise<AdminServer | undefined> {
  const address = context.daemon.admin;
  return address === undefined ? undefined : serveAdmin({ address, ...face });
}

async function runUntilStopped(
  { logger, signal, daemon }: CommandContext,
  health: Health,
  tasks: readonly Task[],
): Promise<void> {
  const stop = new AbortController();
  const ended = new AbortController();
  const onStop = async () => {
    health.shutDown("shutting down");
    logger.info({ reason: String(signal.reason?.message ?? "stopped"), graceMs: daemon.graceMs }, "stopping");
    await delay(daemon.shutdownDelayMs, ended.signal).catch(() => {});
    stop.abort(signal.reason);
  };
  const listener = () => void onStop();
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
  try {
    await runTasks(stop.signal, tasks, { drainMs: Math.max(0, daemon.graceMs - daemon.shutdownDelayMs) });
  } finally {
    signal.removeEventListener("abort", listener);
    health.shutDown("stopped");
    ended.abort();
  }
  logger.info({}, "stopped");
}

async function reload(context: CommandContext, work: DaemonWork): Promise<void> {
  context.logger.info({}, "reloading on SIGHUP");
  try {
    await work.reload?.();
  } catch (error) {
    context.logger.error({ error: error instanceof Error ? error.message : String(error) }, "reload failed");
  }
}
