import type { Clock } from "@newleaf/kube";

/** A bell for one sleeper. What rings while it is awake is not lost, and many rings are one. */
export interface Wakeup {
  ring(): void;
  /** Resolves at the next ring (at once if it has rung), after `ms`, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export function createWakeup(clock: Clock): Wakeup {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait(ms, signal) {
      if (!rung && !signal.aborted && ms > 0) {
        await new Promise<void>((resolve) => {
          const timer = clock.setTimeout(() => wake?.(), ms);
          const onAbort = (): void => wake?.();
          wake = () => {
            wake = undefined;
            timer.cancel();
            signal.removeEventListener("abort", onAbort);
            resolve();
          };
          signal.addEventListener("abort", onAbort, { once: true });
        });
      }
      rung = false;
    },
  };
}
