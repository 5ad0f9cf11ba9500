import type { BundleTarget } from "../../src/ca-bundle.ts";
import type { Random } from "./random.ts";

export const NAMESPACE = "shop";
export const NAME = "shop-webhook";
export const DNS_NAME = "webhook.shop.svc";
export const POD_LABELS: Readonly<Record<string, string>> = { app: NAME };
export const TARGETS: readonly BundleTarget[] = [
  { kind: "ValidatingWebhookConfiguration", name: "shop" },
  { kind: "MutatingWebhookConfiguration", name: "shop" },
];

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

/** What one seed is about. Lives are short, and everything else is in proportion to them. */
export interface Plan {
  readonly seed: number;
  readonly leafLifeMs: number;
  readonly authorityLifeMs: number;
  readonly settleMs: number;
  /** Below settleMs, or leaders could not know when a caBundle is in use. */
  readonly lagMs: number;
  readonly election: {
    readonly leaseDurationMs: number;
    readonly renewDeadlineMs: number;
    readonly retryPeriodMs: number;
  };
  readonly acknowledgement: "pod" | "lease";
  /** How far wall clocks are off, either way. */
  readonly skewMs: number;
  /** Between syncs of a kubelet that nothing asks for. */
  readonly syncMs: number;
  /** Replicas that serve are asked by a handshake before an authority is dropped. */
  readonly prove: boolean;
  readonly replicas: number;
  readonly disturbedMs: number;
  /** Between disturbances, on average. */
  readonly pauseMs: number;
  /** At rest, after everything has come to rest. */
  readonly calmMs: number;
  /** How long one lasts at most. */
  readonly longestMs: number;
}

export function createPlan(seed: number, random: Random): Plan {
  const leafLifeMs = random.between(2 * MINUTE, 6 * MINUTE);
  return {
    seed,
    leafLifeMs,
    authorityLifeMs: leafLifeMs * random.between(3, 4.5),
    settleMs: 5 * SECOND,
    lagMs: 4.5 * SECOND,
    election: random.pick([
      { leaseDurationMs: 15 * SECOND, renewDeadlineMs: 11 * SECOND, retryPeriodMs: 6 * SECOND },
      { leaseDurationMs: 30 * SECOND, renewDeadlineMs: 20 * SECOND, retryPeriodMs: 10 * SECOND },
      { leaseDurationMs: 40 * SECOND, renewDeadlineMs: 30 * SECOND, retryPeriodMs: 15 * SECOND },
    ]),
    acknowledgement: random.chance(0.75) ? "pod" : "lease",
    skewMs: random.chance(0.3) ? 0 : random.between(0, leafLifeMs / 8),
    syncMs: random.between(20 * SECOND, 60 * SECOND),
    prove: random.chance(0.8),
    replicas: 3,
    disturbedMs: leafLifeMs * random.between(0.6, 2.4),
    calmMs: leafLifeMs * random.pick([0, 0, 0, 1.2]),
    pauseMs: leafLifeMs * random.between(0.03, 0.2),
    longestMs: leafLifeMs * random.between(0.05, 0.25),
  };
}
