import { type Clock, systemClock } from "./clock.ts";

export interface BackoffOptions {
  /** Upper bound of the first delay; default 100 ms. It doubles with every attempt. */
  readonly baseMs?: number;
  /** Upper bound of every delay; default 30 s. */
  readonly maxMs?: number;
  /** Uniform in [0, 1); injected by tests. */
  readonly random?: () => number;
  readonly clock?: Clock;
}

/** Delays between attempts of one operation. */
export interface Backoff {
  /** Attempts since the last reset. */
  readonly attempts: number;
  /** The next delay in milliseconds: uniform between 0 and min(max, base * 2^attempts) ("full jitter"). */
  next(): number;
  /** Waits for the next delay; rejects with the signal's reason when it aborts. */
  wait(signal: AbortSignal): Promise<void>;
  /** Call after a success. */
  reset(): void;
}

export function createBackoff(options: BackoffOptions = {}): Backoff {
  const { baseMs = 100, maxMs = 30_000, random = Math.random, clock = systemClock } = options;
  let attempts = 0;
  const next = () => {
    const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempts, 52));
    attempts += 1;
    return Math.floor(random() * ceiling);
  };
  return {
    get attempts() {
      return attempts;
    },
    next,
    wait: (signal) => delay(next(), signal, clock),
    reset() {
      attempts = 0;
    },
  };
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export async function delay(ms: number, signal: AbortSignal, clock: Clock = systemClock): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
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
