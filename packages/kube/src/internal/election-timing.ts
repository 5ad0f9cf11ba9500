import { KubeError } from "../error.ts";

/** How much of the retry period is added at random: from none to 1.2 of it. */
export const JITTER_FACTOR = 1.2;

export interface ElectionTiming {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
}

/** The timing with client-go's defaults; ERR_KUBE_CONFIG when a leader could outlast its Lease, or never renew in time. */
export function electionTiming(given: Partial<ElectionTiming>): ElectionTiming {
  const timing = {
    leaseDurationMs: given.leaseDurationMs ?? 15_000,
    renewDeadlineMs: given.renewDeadlineMs ?? 10_000,
    retryPeriodMs: given.retryPeriodMs ?? 2_000,
  };
  for (const [option, ms] of Object.entries(timing)) {
    if (!Number.isFinite(ms) || ms <= 0) refuse(`${option} must be more than 0, not ${ms}`);
  }
  const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = timing;
  if (leaseDurationMs <= renewDeadlineMs) {
    refuse(`leaseDurationMs (${leaseDurationMs}) must be more than renewDeadlineMs (${renewDeadlineMs})`);
  }
  if (renewDeadlineMs <= retryPeriodMs * JITTER_FACTOR) {
    refuse(
      `renewDeadlineMs (${renewDeadlineMs}) must be more than ${JITTER_FACTOR} x retryPeriodMs (${retryPeriodMs})`,
    );
  }
  return timing;
}

function refuse(message: string): never {
  throw new KubeError("ERR_KUBE_CONFIG", `leader election: ${message}`);
}
