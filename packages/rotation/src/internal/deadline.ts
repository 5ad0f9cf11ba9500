import type { Clock } from "../clock.ts";
import { RotationError } from "../error.ts";

/**
 * Runs `work` with a signal that aborts after `ms` or with `parent`, and settles at that moment even if the work
 * does not listen. Rejects with ERR_ROTATION_TIMEOUT or with the parent's reason.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  parent: AbortSignal,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  parent.throwIfAborted();
  const controller = new AbortController();
  const timer = clock.setTimeout(
    () => controller.abort(new RotationError("ERR_ROTATION_TIMEOUT", `not done within ${ms} ms`)),
    ms,
  );
  // Not AbortSignal.any: on Node 20 a long-lived parent keeps every signal derived from it.
  const onParent = (): void => controller.abort(parent.reason);
  parent.addEventListener("abort", onParent, { once: true });
  try {
    return await Promise.race([work(controller.signal), rejectOnAbort(controller.signal)]);
  } finally {
    timer.cancel();
    parent.removeEventListener("abort", onParent);
  }
}

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
export function delay(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
