import type { Lease } from "kubernetes-types/coordination/v1.js";
import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { Logger } from "../logger.ts";
import type { RequestOptions, ResourceClient } from "../resource-client.ts";
import type { Answer, StatusFailure } from "../status.ts";
import { delay } from "./delay.ts";
import {
  type Claim,
  claimed,
  firstClaimed,
  holderOf,
  recordOf,
  released,
  transitionsOf,
} from "./lease-record.ts";

export interface CandidateOptions {
  readonly leases: ResourceClient<Lease>;
  readonly name: string;
  readonly namespace: string;
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly requestTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly onNewLeader: (identity: string) => void;
}

export type Attempt =
  /** Held since `sentAt` (monotonic): when the write was sent, so before anybody can have seen it. */
  | { readonly outcome: "held"; readonly sentAt: number; readonly term: number }
  /** `holder` has it, and its time is not over. */
  | { readonly outcome: "taken"; readonly holder: string }
  | { readonly outcome: "failed"; readonly reason: string };

/** One identity and one Lease: single attempts, and what was seen of the Lease so far. Never throws. */
export interface LeaseCandidate {
  tryAcquireOrRenew(signal: AbortSignal): Promise<Attempt>;
  /** Gives the Lease back if it is ours, or may be; retries conflicts and failures. False when the signal came first. */
  release(signal: AbortSignal): Promise<boolean>;
}

export function createLeaseCandidate(options: CandidateOptions): LeaseCandidate {
  const { leases, name, namespace, identity, leaseDurationMs, clock, logger } = options;
  // The Lease as last seen, and since when its record has been so, on our own monotonic clock: the times in it are of
  // other clocks, which may be wrong.
  let seen: { readonly lease: Lease; readonly record: string; readonly since: number } | undefined;
  let reported = "";
  // From before a claim is sent: an answer that never came may have been a success.
  let mayBeOurs = false;
  let lastFailure: string | undefined;

  async function attempt(signal: AbortSignal): Promise<Attempt> {
    const last = seen?.lease;
    if (last !== undefined && holderOf(last) === identity && isValid()) {
      const fast = await write(() => leases.update(claimed(last, claim()), request(signal)));
      if (fast.outcome === "held") return fast;
      logger.debug({ lease: name, ...fast }, "lease is not as it was seen, reading it");
    }

    const answer = await leases.get(name, request(signal));
    if (answer.ok) observe(answer.value);
    else if (answer.status.reason !== "NotFound") return failed(answer.status);
    // Also of a Lease that was deleted: its holder may not know yet.
    const holder = holderOf(seen?.lease);
    if (holder !== identity && isValid()) return { outcome: "taken", holder };
    if (answer.ok) return write(() => leases.update(claimed(answer.value, claim()), request(signal)));
    const first = firstClaimed({ name, namespace }, claim(), seen?.lease);
    return write(() => leases.create(first, request(signal)));
  }

  async function write(send: () => Promise<Answer<Lease>>): Promise<Attempt> {
    mayBeOurs = true;
    const sentAt = clock.monotonic();
    const answer = await send();
    if (!answer.ok) return failed(answer.status);
    observe(answer.value);
    return { outcome: "held", sentAt, term: transitionsOf(answer.value) };
  }

  function observe(lease: Lease): void {
    const record = recordOf(lease);
    seen = { lease, record, since: seen?.record === record ? seen.since : clock.monotonic() };
    const holder = holderOf(lease);
    if (holder === reported) return;
    reported = holder;
    options.onNewLeader(holder);
  }

  function isValid(): boolean {
    if (seen === undefined || holderOf(seen.lease) === "") return false;
    const seconds = seen.lease.spec?.leaseDurationSeconds;
    return clock.monotonic() < seen.since + (seconds === undefined ? leaseDurationMs : seconds * 1000);
  }

  function claim(): Claim {
    return { identity, durationMs: leaseDurationMs, now: clock.now() };
  }

  function request(signal: AbortSignal): RequestOptions {
    return { signal, timeoutMs: options.requestTimeoutMs, priority: "high" };
  }

  /** What stands in the way; undefined when the Lease is not ours any more. */
  async function releaseOnce(signal: AbortSignal): Promise<StatusFailure | undefined> {
    const current = await leases.get(name, request(signal));
    if (!current.ok) return current.status.reason === "NotFound" ? undefined : current.status;
    observe(current.value);
    if (holderOf(current.value) !== identity) return undefined;
    const answer = await leases.update(released(current.value, clock.now()), request(signal));
    if (!answer.ok) return answer.status;
    observe(answer.value);
    return undefined;
  }

  return {
    async tryAcquireOrRenew(signal) {
      const result = await attempt(signal).catch((error: unknown) => failure(messageOf(error)));
      if (signal.aborted) return result;
      const reason = result.outcome === "failed" ? result.reason : undefined;
      // Once: an API server that is away is asked every few seconds.
      if (reason !== undefined && reason !== lastFailure) {
        logger.warn({ lease: name, identity, reason }, "lease could not be taken or renewed, trying again");
      }
      lastFailure = reason;
      return result;
    },
    async release(signal) {
      for (let failures = 0; mayBeOurs && !signal.aborted; failures++) {
        const reason = await releaseOnce(signal).then(
          (refusal) => refusal?.message,
          (error: unknown) => messageOf(error),
        );
        if (reason === undefined) {
          mayBeOurs = false;
          return true;
        }
        logger.debug({ lease: name, reason }, "lease not released yet");
        await delay(clock, Math.min(50 * 2 ** failures, 1000) * (0.5 + options.random() / 2), signal);
      }
      return !mayBeOurs;
    },
  };
}

function failed({ message, code, reason }: StatusFailure): Attempt {
  return failure(`${message} (${code} ${reason})`);
}

function failure(reason: string): Attempt {
  return { outcome: "failed", reason };
}

function messageOf(error: unknown): string {
  return error instanceof KubeError ? `${error.code}: ${error.message}` : String(error);
}
