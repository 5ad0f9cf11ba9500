import type { Clock } from "./clock.ts";

/** How long to wait before trying again. */
export interface Backoff {
  /** The wait after one more failure, in milliseconds, and never less than what the server asked for. */
  next(retryAfterMs?: number): number;
}

export interface BackoffOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly initialMs?: number;
  /** Cap before jitter. */
  readonly maxMs?: number;
  /** After so long without a failure it begins anew. */
  readonly resetMs?: number;
}

const LONGEST_RETRY_AFTER_MS = 5 * 60_000;

/**
 * Exponential backoff as client-go's reflector has it: 800 ms, doubled up to 30 s, each wait up to twice as long by
 * jitter, from the start again after 2 minutes without a failure. A `Retry-After` (of 5 minutes at most) comes on top,
 * so that those who were told the same do not come back together.
 */
export function createBackoff(options: BackoffOptions): Backoff {
  const { clock, random, initialMs = 800, maxMs = 30_000, resetMs = 120_000 } = options;
  let delayMs = initialMs;
  let lastFailure = Number.NEGATIVE_INFINITY;
  return {
    next(retryAfterMs = 0) {
      const now = clock.monotonic();
      if (now - lastFailure > resetMs) delayMs = initialMs;
      const waitMs = delayMs * (1 + random()) + Math.min(Math.max(0, retryAfterMs), LONGEST_RETRY_AFTER_MS);
      delayMs = Math.min(maxMs, delayMs * 2);
      // The time of waiting is no time of health.
      lastFailure = now + waitMs;
      return waitMs;
    },
  };
}
