import { type Clock, systemClock, type Timer } from "./clock.ts";
import { RotationError } from "./error.ts";
import { checkMaterial, type GateOptions, type GateRefusal, type GateResult, keeping } from "./gate.ts";
import { createGeneration, type Generation, withdrawGeneration } from "./generation.ts";
import type { IdentityMaterial } from "./identity-material.ts";
import type { IdentitySource, Refusal, RefusalCode, SourceStatus } from "./identity-source.ts";
import { createBroadcast } from "./internal/broadcast.ts";
import { handshakeContext } from "./internal/handshake-context.ts";
import { standingWarnings } from "./internal/standing-warnings.ts";
import { type Logger, silentLogger } from "./logger.ts";

export interface HolderOptions extends GateOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** What the source itself has to warn of, asked whenever the status is. */
  readonly warnings?: () => readonly string[];
  /** Told of each refusal, also while there is no source yet that could be asked. */
  readonly onRefusal?: (refusal: Refusal) => void;
}

export type OfferResult =
  | { readonly outcome: "accepted"; readonly generation: Generation }
  | { readonly outcome: "unchanged"; readonly generation: Generation }
  | { readonly outcome: "refused"; readonly refusal: Refusal };

/**
 * Holds the last good generation of a source: whatever kind of source, it offers what it receives here, and the
 * holder numbers, keeps, counts and publishes. Everything is synchronous, so a thousand offers leave no backlog.
 */
export interface IdentityHolder {
  /** What `offer` would decide now, without consequences. */
  evaluate(material: IdentityMaterial): GateResult;
  /**
   * Takes the update over if the gate lets it through. What only time can mend (not valid yet, or the clock
   * was wrong), or an announcement, is kept and tried again when its time has come, until the next offer. `gate`
   * spares the gate when `evaluate` has just been asked about the same material.
   */
  offer(material: IdentityMaterial, deliveredAt?: Date, gate?: GateResult): OfferResult;
  /** Records an update that never became material (a file is missing). Saying the same twice counts once. */
  refuse(code: RefusalCode, message: string): Refusal;
  /**
   * The identity was taken away, not just not renewed: from now on it is shown to nobody and trusts nobody, as a
   * generation of its own, until an offer is accepted. The last of several reasons stands. Without one so far, no effect.
   */
  withdraw(reason: string): void;
  /** The last good generation, if there has been one. */
  current(): Generation | undefined;
  /** Waits for the first good generation; ERR_ROTATION_NO_IDENTITY names the last refusal. */
  first(options?: {
    readonly signal?: AbortSignal | undefined;
    readonly timeoutMs?: number;
  }): Promise<Generation>;
  /** The source to hand out, once there is a generation; disposing it closes the holder. */
  asSource(of: { reload(): Promise<void>; close(): Promise<void> }): IdentitySource;
  /** Ends all iterators and timers. */
  close(): void;
}

const LONGEST_CHECK_MS = 60_000;
const REFUSALS_KEPT = 64;

export function createIdentityHolder(options: HolderOptions = {}): IdentityHolder {
  return new Holder(options);
}

class Holder implements IdentityHolder {
  readonly #options: HolderOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #generations = createBroadcast<Generation>();
  readonly #refusals = createBroadcast<Refusal>();
  readonly #counts: Partial<Record<RefusalCode, number>> = {};
  #current: Generation | undefined;
  #stale: { readonly refusal: Refusal; readonly reason: string } | undefined;
  #lastRefusal: Refusal | undefined;
  #gateWarnings: readonly string[] = [];
  #postponed:
    | { readonly material: IdentityMaterial; readonly deliveredAt: Date; retryAt: Date | undefined }
    | undefined;
  readonly #stopListening: (() => void) | undefined;
  #expiryReported = false;
  #warned: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: HolderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#stopListening = options.announcements?.onChange(() => this.#tryPostponed());
  }

  evaluate(material: IdentityMaterial): GateResult {
    try {
      return checkMaterial(material, this.#current, this.#options, this.#now());
    } catch (error) {
      // A defect of ours, met by an update: still no reason to end the process and what it serves.
      return unusable("this identity cannot be checked", error, this.#current);
    }
  }

  offer(material: IdentityMaterial, deliveredAt: Date = this.#now(), gate?: GateResult): OfferResult {
    this.#postponed = undefined;
    const result = this.#take(gate ?? this.evaluate(material), deliveredAt);
    if ("code" in result) {
      const announcement = result.code === "not_announced";
      if (result.timeDependent || announcement) {
        this.#postponed = { material, deliveredAt, retryAt: result.retryAt };
      }
      // Its source may read it again and again until it is announced; that is one refusal.
      const known = announcement && this.#stale?.reason === result.message ? this.#stale.refusal : undefined;
      const refusal = known ?? this.#record(result.code, result.message);
      this.#schedule();
      return { outcome: "refused", refusal };
    }
    this.#schedule();
    return result;
  }

  refuse(code: RefusalCode, message: string): Refusal {
    this.#postponed = undefined;
    if (this.#stale?.reason === `${code} ${message}`) return this.#stale.refusal;
    return this.#record(code, `${message}; ${keeping(this.#current)}`, `${code} ${message}`);
  }

  withdraw(reason: string): void {
    this.#postponed = undefined;
    if (!this.#current || this.#current.withdrawn === reason) return;
    const generation = withdrawGeneration(this.#current, reason, this.#now());
    this.#current = generation;
    this.#logger.error({ generation: generation.number, reason }, "identity withdrawn");
    this.#generations.publish(generation);
    this.#schedule();
  }

  current(): Generation | undefined {
    return this.#current;
  }

  async first(
    of: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number } = {},
  ): Promise<Generation> {
    if (this.#current) return this.#current;
    const waiting = new AbortController();
    const signal = of.signal ? AbortSignal.any([of.signal, waiting.signal]) : waiting.signal;
    const timer =
      of.timeoutMs === undefined ? undefined : this.#clock.setTimeout(() => waiting.abort(), of.timeoutMs);
    const next = this.#generations.subscribe({ capacity: 1, signal });
    const { value } = await next.next();
    timer?.cancel();
    await next.return?.();
    if (value) return value;
    const why = this.#lastRefusal ? `: ${this.#lastRefusal.message}` : "";
    const cause = of.signal?.aborted ? { cause: of.signal.reason } : undefined;
    throw new RotationError("ERR_ROTATION_NO_IDENTITY", `no good identity in time${why}`, cause);
  }

  asSource(of: { reload(): Promise<void>; close(): Promise<void> }): IdentitySource {
    const current = (): Generation => this.#known();
    let closing: Promise<void> | undefined;
    return {
      current,
      watch: (signal) => this.#generations.subscribe({ capacity: 1, initial: [current()], signal }),
      refusals: (signal) => this.#refusals.subscribe({ capacity: REFUSALS_KEPT, signal }),
      status: () => this.#status(),
      reload: async () => {
        if (this.#closed) throw new RotationError("ERR_ROTATION_CLOSED", "the identity source is closed");
        await of.reload();
      },
      [Symbol.asyncDispose]: () => {
        this.close();
        closing ??= of.close();
        return closing;
      },
    };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#stopListening?.();
    this.#postponed = undefined;
    this.#generations.close();
    this.#refusals.close();
  }

  #take(result: GateResult, deliveredAt: Date): Exclude<OfferResult, { outcome: "refused" }> | GateRefusal {
    if (!result.ok) return result;
    this.#gateWarnings = result.warnings;
    if (result.unchanged && this.#current) {
      this.#stale = undefined;
      return { outcome: "unchanged", generation: this.#current };
    }
    const number = (this.#current?.number ?? 0) + 1;
    const generation = createGeneration(result.identity, { number, deliveredAt, verifiedAt: this.#now() });
    try {
      loadIntoOpenSsl(generation, this.#current);
    } catch (error) {
      return unusable("OpenSSL cannot use this identity", error, this.#current);
    }
    this.#accept(generation);
    return { outcome: "accepted", generation };
  }

  #accept(generation: Generation): void {
    this.#current = generation;
    this.#stale = undefined;
    this.#expiryReported = false;
    const { number, identity, notAfter, leaf } = generation;
    this.#logger.info(
      { generation: number, identity, serialNumber: leaf.serialNumber, notAfter },
      "identity accepted",
    );
    this.#generations.publish(generation);
    // Later ones wait for the next look at the time: consumers are about to be told.
    if (number === 1) this.#logWarnings();
  }

  #record(code: RefusalCode, message: string, reason = message): Refusal {
    const refusal: Refusal = Object.freeze({ code, message, at: this.#now(), kept: this.#current?.number });
    this.#counts[code] = (this.#counts[code] ?? 0) + 1;
    this.#lastRefusal = refusal;
    this.#stale = { refusal, reason };
    // To be early is in order.
    const level = code === "not_announced" ? "debug" : "warn";
    this.#logger[level]({ code, reason: message, kept: refusal.kept }, "identity update refused");
    this.#refusals.publish(refusal);
    this.#options.onRefusal?.(refusal);
    return refusal;
  }

  // The wall clock may step and the machine may sleep: what depends on time is looked at every minute at least.
  #schedule(): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    const now = this.#clock.now();
    const instants = [this.#current?.notAfter, this.#postponed?.retryAt].flatMap(
      (date) => date?.getTime() ?? [],
    );
    const next = Math.min(LONGEST_CHECK_MS, ...instants.filter((at) => at >= now).map((at) => at - now + 1));
    this.#timer = this.#clock.setTimeout(() => this.#onTime(), next);
  }

  #tryPostponed(): void {
    if (!this.#postponed) return;
    const { material, deliveredAt } = this.#postponed;
    const result = this.#take(this.evaluate(material), deliveredAt);
    if ("outcome" in result) this.#postponed = undefined;
    else this.#postponed.retryAt = result.retryAt;
  }

  #onTime(): void {
    this.#tryPostponed();
    const expired = this.#isExpired();
    if (expired && !this.#expiryReported) {
      const { number, identity, notAfter } = this.#known();
      this.#logger.error({ generation: number, identity, notAfter }, "identity expired");
    }
    this.#expiryReported = expired;
    this.#logWarnings();
    this.#schedule();
  }

  #logWarnings(): void {
    const warnings = this.#warnings();
    for (const warning of warnings) {
      if (!this.#warned.has(warning)) this.#logger.warn({ warning }, "identity source warning");
    }
    this.#warned = new Set(warnings);
  }

  #warnings(): readonly string[] {
    const standing = this.#current ? standingWarnings(this.#current, this.#now()) : [];
    return [...this.#gateWarnings, ...standing, ...(this.#options.warnings?.() ?? [])];
  }

  #status(): SourceStatus {
    return Object.freeze({
      stale: this.#stale !== undefined,
      expired: this.#isExpired(),
      withdrawn: this.#current?.withdrawn,
      lastRefusal: this.#lastRefusal,
      refusals: Object.freeze({ ...this.#counts }),
      warnings: Object.freeze(this.#warnings()),
      updates: this.#current?.number ?? 0,
    });
  }

  #isExpired(): boolean {
    return this.#current !== undefined && this.#now() > this.#current.notAfter;
  }

  #known(): Generation {
    if (this.#current) return this.#current;
    throw new RotationError(
      "ERR_ROTATION_NO_IDENTITY",
      "the source was handed out before its first identity",
    );
  }

  #now(): Date {
    return new Date(this.#clock.now());
  }
}

/**
 * Our checks are stricter than OpenSSL's but for what it will not load (key sizes below its security level). The
 * context of servers proves certificate and key, and will be used next. That of clients adds trust and revocation
 * lists: where those are the ones that were loaded for the generation before, it can wait for its first use.
 */
function loadIntoOpenSsl(generation: Generation, before: Generation | undefined): void {
  handshakeContext(generation);
  if (!before || !trustsAlike(generation, before)) generation.secureContext;
}

function trustsAlike(one: Generation, other: Generation): boolean {
  const fingerprints = ({ trust, peerTrust, crls }: Generation): string =>
    [trust.sha256, peerTrust?.sha256, ...crls.map(({ sha256 }) => sha256).sort()].join();
  return fingerprints(one) === fingerprints(other);
}

function unusable(what: string, error: unknown, kept: Generation | undefined): GateRefusal {
  const why = error instanceof Error ? error.message : String(error);
  const message = `${what}: ${why}; ${keeping(kept)}`;
  return { ok: false, code: "unusable", message, timeDependent: false, retryAt: undefined };
}
