import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { Leadership } from "../leader-election.ts";

/** The one truth in memory about a term: whether it lasts is asked of the clock, not left to a timer. */
export interface HeldLease {
  readonly leadership: Leadership;
  /** Why it was lost; undefined while it is held. */
  readonly lost: string | undefined;
  /** Loses it when the deadline has passed. */
  check(): void;
  /** A renewal that was sent at `sentAt` has succeeded. Nothing brings back what was lost. */
  renewed(sentAt: number): void;
  /** For good: the work's signal is aborted and `assertHeld` throws from now on. */
  lose(reason: string): void;
  /** Asks the work to end; until it has, or the deadline passes, the Lease is still held. */
  end(reason: unknown): void;
}

export function holdLease(options: {
  readonly name: string;
  readonly term: number;
  readonly sentAt: number;
  readonly renewDeadlineMs: number;
  readonly clock: Clock;
}): HeldLease {
  const { name, term, renewDeadlineMs, clock } = options;
  const ending = new AbortController();
  let deadline = 0;
  let lost: string | undefined;
  let timer: { cancel(): void } | undefined;

  const lose = (reason: string): void => {
    if (lost !== undefined) return;
    lost = reason;
    timer?.cancel();
    ending.abort(notLeader(name, reason));
  };
  const check = (): void => {
    if (clock.monotonic() >= deadline) lose("it was not renewed in time");
  };
  const holdFrom = (sentAt: number): void => {
    deadline = sentAt + renewDeadlineMs;
    timer?.cancel();
    timer = clock.setTimeout(check, deadline - clock.monotonic());
    check();
  };
  holdFrom(options.sentAt);

  return {
    leadership: {
      signal: ending.signal,
      term,
      assertHeld() {
        check();
        if (lost !== undefined) throw notLeader(name, lost);
      },
      remainingMs: () => (lost === undefined ? Math.max(0, deadline - clock.monotonic()) : 0),
    },
    get lost() {
      return lost;
    },
    check,
    renewed(sentAt) {
      check();
      if (lost === undefined) holdFrom(sentAt);
    },
    lose,
    end: (reason) => ending.abort(reason),
  };
}

function notLeader(name: string, reason: string): KubeError {
  return new KubeError("ERR_KUBE_NOT_LEADER", `lease ${name} is not held: ${reason}`);
}
