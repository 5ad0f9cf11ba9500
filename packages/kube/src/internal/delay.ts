import type { Clock } from "../clock.ts";
import { onAbort } from "./on-abort.ts";

/** Resolves after `ms`, or as soon as the signal aborts; true when the time has passed. */
export function delay(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const timer = clock.setTimeout(() => {
      letGo();
      resolve(true);
    }, ms);
    const letGo = onAbort(signal, () => {
      timer.cancel();
      resolve(false);
    });
  });
}
