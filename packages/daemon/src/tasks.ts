import { type Clock, systemClock } from "./clock.ts";
import { DaemonError } from "./error.ts";

/** One long-lived part of a program. `run` returns when it is done, or soon after the signal aborts. */
export interface Task {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

export interface RunTasksOptions {
  /** How long tasks may take to end after the signal; default 25 s. */
  readonly drainMs?: number;
  readonly clock?: Clock;
}

/**
 * Runs the tasks together and resolves when all have ended. The first failure cancels the rest; every task is
 * awaited before that failure is thrown. After the signal (or a failure) the tasks have `drainMs` to end;
 * those still running then are named in an `ERR_DAEMON_DRAIN`. What a task throws because it was aborted is no
 * failure.
 */
export async function runTasks(
  signal: AbortSignal,
  tasks: readonly Task[],
  options: RunTasksOptions = {},
): Promise<void> {
  const { drainMs = 25_000, clock = systemClock } = options;
  const stop = new AbortController();
  const combined = AbortSignal.any([signal, stop.signal]);
  const running = new Set(tasks);
  let failed: { readonly error: unknown } | undefined;

  const all = Promise.all(
    tasks.map(async (task) => {
      try {
        await task.run(combined);
      } catch (error) {
        if (!(combined.aborted && isAbort(error, combined))) failed ??= { error };
        if (failed?.error === error) stop.abort(error);
      } finally {
        running.delete(task);
      }
    }),
  );
  const overdue = await endOrDeadline(all, combined, drainMs, clock);
  if (failed !== undefined) throw failed.error;
  if (overdue) {
    const names = [...running].map((task) => task.name).join(", ");
    throw new DaemonError("ERR_DAEMON_DRAIN", `still running ${drainMs} ms after the stop: ${names}`, {
      hint: "give more time with --grace, or look at what these tasks wait for",
    });
  }
}

async function endOrDeadline(
  all: Promise<unknown>,
  signal: AbortSignal,
  drainMs: number,
  clock: Clock,
): Promise<boolean> {
  let timer: { cancel(): void } | undefined;
  const deadline = new Promise<true>((resolve) => {
    const arm = () => {
      timer = clock.setTimeout(() => resolve(true), drainMs);
    };
    if (signal.aborted) arm();
    else signal.addEventListener("abort", arm, { once: true });
    void all.then(() => signal.removeEventListener("abort", arm));
  });
  try {
    return await Promise.race([all.then(() => false), deadline]);
  } finally {
    timer?.cancel();
  }
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}
