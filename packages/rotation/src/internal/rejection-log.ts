import type { Clock, Timer } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Rejection, RejectionCode } from "../rejection.ts";

export type RejectionCounts = Readonly<Partial<Record<RejectionCode, number>>>;

/** Counts every rejection, reports it, and logs it: one line each, up to so many a second. */
export interface RejectionLog {
  record(rejection: Rejection): void;
  counts(): RejectionCounts;
  /** Logs what is still to be summed up. */
  close(): void;
}

/** A line is about 500 octets: a flood fills a disk with no more than 50 KB/s. */
export const LINES_PER_SECOND = 100;

export function createRejectionLog(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onRejection: ((rejection: Rejection) => void) | undefined;
}): RejectionLog {
  const { clock, logger, onRejection } = options;
  const counts: Partial<Record<RejectionCode, number>> = {};
  let windowEnd = 0;
  let lines = 0;
  let unlogged: Partial<Record<RejectionCode, number>> = {};
  let timer: Timer | undefined;

  const sumUp = (): void => {
    timer?.cancel();
    timer = undefined;
    const byCode = unlogged;
    unlogged = {};
    const count = Object.values(byCode).reduce((sum, each) => sum + each, 0);
    if (count > 0) logger.warn({ count, byCode }, "more connections refused");
  };

  const log = (rejection: Rejection): void => {
    const now = clock.now();
    // Also when the wall clock was set back by more than the window.
    if (now >= windowEnd || now < windowEnd - 1_000) {
      windowEnd = now + 1_000;
      lines = 0;
    }
    lines += 1;
    if (lines <= LINES_PER_SECOND) {
      const { code, message, address, phase, resumed, peer } = rejection;
      logger.warn(
        { code, address, phase, resumed, reason: message, ...(peer && { peer }) },
        "connection refused",
      );
      return;
    }
    unlogged[rejection.code] = (unlogged[rejection.code] ?? 0) + 1;
    timer ??= clock.setTimeout(sumUp, windowEnd - now);
  };

  return {
    record(rejection) {
      counts[rejection.code] = (counts[rejection.code] ?? 0) + 1;
      log(rejection);
      onRejection?.(rejection);
    },
    counts: () => ({ ...counts }),
    close: sumUp,
  };
}
