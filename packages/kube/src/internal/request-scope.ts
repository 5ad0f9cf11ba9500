import type { Clock } from "../clock.ts";
import { onAbort } from "./on-abort.ts";

/** One request's life: its signal aborts with the caller's, at the deadline, or when the client is closed. */
export interface RequestScope {
  readonly signal: AbortSignal;
  /** In place of the one before; undefined for none. */
  deadline(ms: number | undefined): void;
  /**
   * The promise, or the reason of the signal as soon as it aborts, whatever the other side makes of that. `late` is
   * given what came too late.
   */
  race<T>(promise: Promise<T>, late?: (value: T) => void): Promise<T>;
  /** Ends the request if it goes on still. */
  abort(reason?: unknown): void;
  /** Lets go of the caller's signal and of the clock: nothing is waited for any longer. */
  end(): void;
}

export function createRequestScope(options: {
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly expired: (ms: number) => Error;
  readonly onEnd: () => void;
}): RequestScope {
  const { clock, signal: outer } = options;
  const controller = new AbortController();
  const { signal } = controller;
  let timer: { cancel(): void } | undefined;
  const letGo = onAbort(outer, () => controller.abort(outer?.reason));

  return {
    signal,
    deadline(ms) {
      timer?.cancel();
      timer = undefined;
      if (ms !== undefined) timer = clock.setTimeout(() => controller.abort(options.expired(ms)), ms);
    },
    race: (promise, late) =>
      new Promise((resolve, reject) => {
        const lost = (): void => {
          reject(signal.reason);
          promise.then(late, () => {});
        };
        if (signal.aborted) return lost();
        signal.addEventListener("abort", lost, { once: true });
        const settled = (): void => signal.removeEventListener("abort", lost);
        promise.then(resolve, reject);
        promise.then(settled, settled);
      }),
    abort: (reason) => controller.abort(reason),
    end() {
      timer?.cancel();
      letGo();
      options.onEnd();
    },
  };
}
