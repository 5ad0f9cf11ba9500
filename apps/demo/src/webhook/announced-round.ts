import type { LeaseAnnouncement } from "@newleaf/webhook";
import type { Certificate } from "@newleaf/x509";

/** One announcement, and how it came to the replicas that were there then. Times in milliseconds after it. */
export interface Round extends LeaseAnnouncement {
  readonly leaf: Certificate;
  /** By the monotonic clock. */
  readonly at: number;
  /** Another certificate than before, and not only another trust. */
  readonly renews: boolean;
  readonly waiting: Set<string>;
  readonly seen: Map<string, number>;
  readonly synced: Map<string, number>;
  readonly served: Map<string, number>;
}

export function openRound(
  of: LeaseAnnouncement & {
    readonly leaf: Certificate;
    readonly renews: boolean;
    readonly waiting: Iterable<string>;
  },
): Round {
  return {
    ...of,
    at: performance.now(),
    waiting: new Set(of.waiting),
    seen: new Map(),
    synced: new Map(),
    served: new Map(),
  };
}

/** Every replica that is still there serves it. */
export function isDelivered({ waiting, synced, served }: Round): boolean {
  return waiting.size > 0 && [...waiting].every((pod) => served.has(pod) && synced.has(pod));
}

/** `3-7 ms`. */
export function spreadOf(times: ReadonlyMap<string, number>): string {
  const sorted = [...times.values()].map(Math.round).sort((a, b) => a - b);
  const [first = 0, last = 0] = [sorted[0], sorted.at(-1)];
  return first === last ? `${first} ms` : `${first}-${last} ms`;
}
