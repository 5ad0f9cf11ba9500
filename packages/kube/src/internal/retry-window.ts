import type { Clock } from "../clock.ts";

/** Whether one kind of failure may still be answered by trying again, or has gone on for too long. */
export interface RetryWindow {
  /** To be called at each such failure: false once they have gone on for the whole window; then it begins anew. */
  allows(): boolean;
}

const FORGET_MS = 60_000;

/** A minute without a failure ends a row of them. */
export function createRetryWindow(clock: Clock, windowMs: number): RetryWindow {
  let first: number | undefined;
  let last = 0;
  return {
    allows() {
      const now = clock.monotonic();
      if (first === undefined || now - last >= FORGET_MS) first = now;
      last = now;
      if (windowMs > 0 && now - first <= windowMs) return true;
      first = undefined;
      return false;
    },
  };
}
