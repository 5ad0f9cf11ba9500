import type { Generation } from "./generation.ts";

/**
 * Why an update was not taken. `torn`: certificate and key do not match yet and an update may still be under way;
 * `key_mismatch`: they do not match for good. `not_announced`: in order, but not the one that is meant at the moment
 * (`Announcements`). `unusable`: in order by our own checks, but OpenSSL cannot load it.
 */
export type RefusalCode =
  | "missing"
  | "unreadable"
  | "torn"
  | "empty"
  | "too_large"
  | "bad_pem"
  | "bad_key"
  | "key_mismatch"
  | "expired"
  | "not_yet_valid"
  | "unverified_chain"
  | "empty_bundle"
  | "bad_bundle"
  | "bad_crl"
  | "crl_missing"
  | "crl_expired"
  | "identity_changed"
  | "not_announced"
  | "unusable";

/** An update that was not taken; the generation before it stays current. */
export interface Refusal {
  readonly code: RefusalCode;
  /** One sentence for people: what, why, and what is kept. Never key material. */
  readonly message: string;
  readonly at: Date;
  /** The number of the generation that is kept, undefined when there was none yet. */
  readonly kept: number | undefined;
}

/** How a source is doing, for readiness and metrics. */
export interface SourceStatus {
  /** The last update was refused, so what is current is not what was delivered. */
  readonly stale: boolean;
  /** The current identity's validity has passed (by the wall clock, at this moment). */
  readonly expired: boolean;
  /** Why the identity was taken away, while it is. */
  readonly withdrawn: string | undefined;
  readonly lastRefusal: Refusal | undefined;
  /** Refused updates so far, by code; codes that never occurred are absent. */
  readonly refusals: Readonly<Partial<Record<RefusalCode, number>>>;
  /** What works now and will hurt later, such as a mount that never updates, in sentences with the remedy. */
  readonly warnings: readonly string[];
  /** Accepted updates so far, the first identity included. */
  readonly updates: number;
}

/**
 * Where an identity comes from: files, a Secret, the SPIFFE Workload API. A source exists only with a first good
 * identity; from then on a bad update never replaces a good one. Disposal ends all iterators, is awaited and
 * idempotent; the last generation stays readable so that what is draining can finish.
 */
export interface IdentitySource extends AsyncDisposable {
  /** The last good generation. Synchronous; never throws. */
  current(): Generation;
  /**
   * The current generation, then each newer one. Coalesces: a slow reader gets only the latest. Any number of
   * readers; each ends, without an error, with its signal, its `return()` or the source.
   */
  watch(signal?: AbortSignal): AsyncIterableIterator<Generation>;
  /** Refused updates from now on. A slow reader loses the oldest beyond a few dozen. Ends like `watch`. */
  refusals(signal?: AbortSignal): AsyncIterableIterator<Refusal>;
  status(): SourceStatus;
  /** Reads the source again now (SIGHUP); settles when the outcome is in `current()` and `status()`. */
  reload(): Promise<void>;
}
