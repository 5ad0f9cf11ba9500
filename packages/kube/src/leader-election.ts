import type { Lease } from "kubernetes-types/coordination/v1.js";
import { type Clock, systemClock } from "./clock.ts";
import { KubeError } from "./error.ts";
import { delay } from "./internal/delay.ts";
import { electionTiming, JITTER_FACTOR } from "./internal/election-timing.ts";
import { runTerm } from "./internal/leader-term.ts";
import { createLeaseCandidate } from "./internal/lease-candidate.ts";
import { type Logger, silentLogger } from "./logger.ts";
import type { ResourceClient } from "./resource-client.ts";

export interface LeaderElectionOptions {
  /** In the namespace of the Lease. */
  readonly leases: ResourceClient<Lease>;
  /** Of the Lease; it is created when there is none. */
  readonly name: string;
  /** Of this candidate alone: two that share one would lead together. */
  readonly identity: string;
  /** How long others wait after the last renewal they saw; 15 s. Whole seconds on the wire, rounded up. */
  readonly leaseDurationMs?: number;
  /** How long a leader goes on after its last renewal; 10 s. The rest of the Lease is for writes on their way. */
  readonly renewDeadlineMs?: number;
  /** Between renewals, and, with up to 1.2 of it added at random, between attempts to become leader; 2 s. */
  readonly retryPeriodMs?: number;
  /** How long `lead` may take to end once its signal is aborted; the lease duration. */
  readonly drainMs?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** From 0 to below 1. */
  readonly random?: () => number;
  /** Ends the candidacy: the work is asked to end and, once it has, the Lease is released. */
  readonly signal: AbortSignal;
  /** The leader's work. It must end soon after `leadership.signal` is aborted. */
  lead(leadership: Leadership): Promise<void>;
  /** Who is seen to hold the Lease, this candidate included; "" once it was released. */
  onNewLeader?(identity: string): void;
}

/** A term of leadership. Over for good once it was lost: the next one is another object. */
export interface Leadership {
  /** Aborted when the Lease was lost (ERR_KUBE_NOT_LEADER) or the candidacy ends. */
  readonly signal: AbortSignal;
  /** `leaseTransitions` of the Lease: grows whenever the holder changes. */
  readonly term: number;
  /**
   * Throws ERR_KUBE_NOT_LEADER when the Lease was lost, or its deadline has passed on the monotonic clock even though
   * no timer has fired yet. To be called right before each write that only the leader may do, and the write carries a
   * resourceVersion and ends within the rest of the Lease.
   */
  assertHeld(): void;
  /** Until the deadline; 0 when lost. */
  remainingMs(): number;
}

/**
 * Stands for election until the signal aborts, as client-go does, and runs `lead` whenever elected. Resolves after
 * the signal, or after `lead` returned by itself, with the Lease released. A lost Lease aborts the work's signal and,
 * once the work has ended, this candidate stands again. Rejects with what `lead` threw while the Lease was held (it
 * is released first), with ERR_KUBE_TIMEOUT when the work did not end within `drainMs` (the Lease is left to expire),
 * and with ERR_KUBE_CONFIG.
 */
export async function electLeader(options: LeaderElectionOptions): Promise<void> {
  const { leases, name, identity, signal, clock = systemClock, logger = silentLogger } = options;
  const { random = Math.random, onNewLeader = () => {} } = options;
  const timing = electionTiming(options);
  const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = timing;
  const { namespace = "" } = leases;
  for (const [option, value] of Object.entries({ name, identity, "leases.namespace": namespace })) {
    if (value === "") throw new KubeError("ERR_KUBE_CONFIG", `leader election: ${option} is missing`);
  }
  const requestTimeoutMs = renewDeadlineMs / 2;
  const candidate = createLeaseCandidate({
    leases, name, namespace, identity, leaseDurationMs, requestTimeoutMs, clock, logger, random, onNewLeader,
  }); // biome-ignore format: names alone
  const drainMs = options.drainMs ?? leaseDurationMs;
  const lead = (leadership: Leadership): Promise<void> => options.lead(leadership);

  while (!signal.aborted) {
    const claim = await candidate.tryAcquireOrRenew(signal);
    if (claim.outcome !== "held") {
      await delay(clock, retryPeriodMs * (1 + JITTER_FACTOR * random()), signal);
      continue;
    }
    const { term } = claim;
    logger.info({ lease: name, identity, term }, "became leader");
    const end = await runTerm({ name, candidate, timing, drainMs, clock, logger, signal, lead }, claim);

    if (end.work === "running") {
      const message = `the leader's work did not end within ${drainMs} ms; lease ${name} is left to expire`;
      throw new KubeError("ERR_KUBE_TIMEOUT", message);
    }
    if (end.lost !== undefined) {
      logger.warn({ lease: name, identity, term, reason: end.lost }, "leadership lost");
      continue;
    }
    await release();
    if (end.work === "failed" && !signal.aborted) throw end.error;
    return;
  }
  await release();

  async function release(): Promise<void> {
    const tooLate = new AbortController();
    const timer = clock.setTimeout(() => tooLate.abort(), renewDeadlineMs);
    const isReleased = await candidate.release(tooLate.signal);
    timer.cancel();
    if (!isReleased) logger.warn({ lease: name, identity }, "lease not released, it is left to expire");
  }
}
