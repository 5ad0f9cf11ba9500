import type { Logger } from "@newleaf/daemon";

/** An exchange or a connection that failed because of the target. */
interface TargetFailure {
  readonly target: string;
  /** A few words, for the client and to count by. */
  readonly reason: string;
  /** What happened in detail, for the log. */
  readonly error: string;
}

export type ReportFailure = (failure: TargetFailure) => void;

/** A target that is down fails every request: this many of them are logged a second, the rest are summed up. */
const LINES_PER_SECOND = 10;

/** Counts each failure and logs it. */
export function createFailureReport(
  logger: Logger,
  count: (reason: string) => void = () => {},
): ReportFailure {
  let windowEnd = 0;
  let lines = 0;
  let unlogged = 0;
  return (failure) => {
    count(failure.reason);
    const now = performance.now();
    if (now >= windowEnd) {
      if (unlogged > 0) logger.warn({ target: failure.target, count: unlogged }, "more target failures");
      [windowEnd, lines, unlogged] = [now + 1_000, 0, 0];
    }
    lines += 1;
    if (lines <= LINES_PER_SECOND) logger.warn(failure, "target failed");
    else unlogged += 1;
  };
}
