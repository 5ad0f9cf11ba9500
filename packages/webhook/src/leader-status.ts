import type { Clock, Logger } from "@newleaf/kube";
import type { RolloverNote } from "./authority-state.ts";
import type { Findings } from "./leader-observation.ts";
import type { LeaderStep, LeaderWaitReason } from "./leader-step.ts";

/** What a leader is at. */
export interface LeaderStatus {
  /** `writing`, or what is waited for; `renewal` is the state of rest. */
  readonly doing: "writing" | LeaderWaitReason;
  readonly why: string;
  /** Replicas, or `kind/name` of objects, that are waited for. */
  readonly pending: readonly string[];
  readonly since: Date;
  readonly certHash: string | undefined;
  readonly notAfter: Date | undefined;
  readonly rollover: RolloverNote | undefined;
}

export interface StatusReporter {
  report(step: LeaderStep, found: Findings): void;
}

/** After so long without a change a wait is worth a warning. */
const STALLED_MS = 60_000;

/** Tells of each change, logs waits, and warns of those that last. */
export function createStatusReporter(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onStatus: ((status: LeaderStatus) => void) | undefined;
}): StatusReporter {
  const { clock, logger, onStatus } = options;
  let last: { readonly key: string; readonly since: Date; readonly at: number; warned: boolean } | undefined;
  return {
    report(step, { stored, state }) {
      const doing = step.write === undefined ? step.waitingFor : "writing";
      const pending = step.write === undefined ? step.pending : [];
      const key = [doing, step.why, ...pending, stored?.certHash].join("\n");
      if (last?.key === key) {
        const stalled =
          clock.monotonic() - last.at >= STALLED_MS && doing !== "renewal" && doing !== "writing";
        if (stalled && !last.warned) {
          last.warned = true;
          logger.warn({ waitingFor: doing, why: step.why, pending }, "webhook certificate is held up");
        }
        return;
      }
      last = { key, since: new Date(clock.now()), at: clock.monotonic(), warned: false };
      if (step.write === undefined) {
        logger.debug({ waitingFor: doing, why: step.why, pending }, "webhook certificate waits");
      }
      onStatus?.({
        doing,
        why: step.why,
        pending,
        since: last.since,
        certHash: stored?.leaf && stored.certHash,
        notAfter: stored?.leaf?.notAfter,
        rollover: state.rollover,
      });
    },
  };
}
