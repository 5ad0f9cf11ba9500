import type { Clock } from "@newleaf/kube";

/** When what failed may be tried again, by name. */
export interface RetryPace {
  /** One more failure; returns the wait in milliseconds. `soon`: somebody was faster, and all is well otherwise. */
  failed(key: string, of?: { readonly retryAfterMs?: number | undefined; readonly soon?: boolean }): number;
  succeeded(key: string): void;
  /** Names whose time has not come. */
  blocked(): ReadonlySet<string>;
  /** Until the next of them may be tried, Infinity if there is none. */
  nextMs(): number;
}

const FIRST_MS = 250;
const SOONEST_MS = 20;
/** A repair takes seconds, also after many failures. */
const LONGEST_MS = 5_000;

/** Doubles with each failure in a row; half of each wait is random. */
export function createRetryPace(clock: Clock, random: () => number): RetryPace {
  const failures = new Map<string, { readonly count: number; readonly until: number }>();
  return {
    failed(key, { retryAfterMs = 0, soon = false } = {}) {
      const count = (failures.get(key)?.count ?? 0) + 1;
      const full = Math.min(LONGEST_MS, (soon ? SOONEST_MS : FIRST_MS) * 2 ** Math.min(count - 1, 20));
      const waitMs = Math.ceil(
        Math.max(Math.min(retryAfterMs, LONGEST_MS), full / 2 + (full / 2) * random()),
      );
      failures.set(key, { count, until: clock.monotonic() + waitMs });
      return waitMs;
    },
    succeeded: (key) => void failures.delete(key),
    blocked() {
      const now = clock.monotonic();
      return new Set([...failures].flatMap(([key, { until }]) => (until > now ? [key] : [])));
    },
    nextMs() {
      const now = clock.monotonic();
      const waits = [...failures.values()].map(({ until }) => until - now).filter((ms) => ms > 0);
      return Math.ceil(Math.min(...waits));
    },
  };
}
