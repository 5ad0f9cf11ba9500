import { type Certificate, createTrustBundle, diffTrustBundles, type TrustBundle } from "@newleaf/x509";
import { type Clock, systemClock } from "./clock.ts";
import { RotationError } from "./error.ts";
import { backoffMs } from "./internal/backoff.ts";
import { delay, withDeadline } from "./internal/deadline.ts";
import { type Logger, silentLogger } from "./logger.ts";

/**
 * - `published`: old and new trust are handed out
 * - `acknowledged`: every participant verifies its peers with both
 * - `switched`: leaves are issued under the new trust
 * - `proved`: every participant uses such a leaf and nothing else any more, and the longest life has passed if asked
 * - `dropped`: the new trust alone is handed out
 * - `retired`: every participant verifies its peers with the new trust alone
 */
export type RolloverStep = "published" | "acknowledged" | "switched" | "proved" | "dropped" | "retired";

/** Who verifies peers, or has a leaf of its own, or both: a process, a Pod, a database. */
export interface RolloverParticipant {
  readonly name: string;
  /** Resolves when it verifies its peers with this bundle. Repeated if it rejects. */
  acknowledged(trust: TrustBundle, signal: AbortSignal): Promise<void>;
  /** Resolves when the leaf it uses verifies to this bundle and no other leaf of its is in use any more. */
  switched(trust: TrustBundle, signal: AbortSignal): Promise<void>;
}

/** What a rollover does in the world around it. Every function may be called again and then does no harm. */
export interface RolloverPlan {
  readonly before: TrustBundle;
  readonly after: TrustBundle;
  /** Hands this bundle out to everyone. */
  publish(trust: TrustBundle, signal: AbortSignal): void | Promise<void>;
  /** From now on issues under `after`, and has the leaves in use replaced. */
  switchLeaves(signal: AbortSignal): void | Promise<void>;
  /** Everyone there is at the moment; asked again until nobody new has come. */
  participants(signal: AbortSignal): readonly RolloverParticipant[] | Promise<readonly RolloverParticipant[]>;
  /** Where leaves exist that no participant answers for: the life of the longest, waited for after the switch. */
  readonly longestLeafMs?: number;
}

export interface RolloverOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly signal?: AbortSignal;
  /** For each step, the wait for `longestLeafMs` not included: 10 min. */
  readonly stepTimeoutMs?: number;
  /** What rejects is tried again after 200 ms, doubling up to 10 s, half of it random, until the step's deadline. */
  readonly retry?: { readonly baseMs?: number; readonly maxMs?: number };
  /** The record of a rollover that was not finished, with the same bundles, also as read back from JSON. */
  readonly resume?: RolloverResume;
  /** After each step, for whoever keeps the record. Awaited; a rollover that cannot be recorded does not go on. */
  readonly onStep?: (record: RolloverRecord) => void | Promise<void>;
}

export type RolloverResume = Pick<RolloverRecord, "before" | "after"> & {
  readonly steps: Readonly<Partial<Record<RolloverStep, Date | string>>>;
};

/** What happened so far; `JSON.stringify` makes ISO dates of its times. */
export interface RolloverRecord {
  /** SHA-256 of the bundles. */
  readonly before: string;
  readonly after: string;
  /** SHA-256 of the certificates that come and go. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly steps: Readonly<Partial<Record<RolloverStep, Date>>>;
  readonly outcome: "running" | "complete" | "failed";
  /** Why it failed, and at which step. Old and new trust stay in place. */
  readonly reason?: { readonly step: RolloverStep; readonly message: string };
  readonly participants: readonly RolloverParticipantReport[];
}

export interface RolloverParticipantReport {
  readonly name: string;
  readonly acknowledgedAt?: Date;
  readonly switchedAt?: Date;
  readonly retiredAt?: Date;
  /** Why its last attempt failed. */
  readonly error?: string;
}

/**
 * Replaces trust without a moment when a valid peer is refused, or a removed one accepted after the end. Resolves
 * with the record: `complete`, or `failed` at a step that was not done in time or whose signal aborted. Until the
 * new leaves are proved nothing but old and new trust together is ever published, so that a rollover that failed,
 * or whose process died, leaves no gap and is simply run again, with its record in `resume` if there is one.
 */
export async function rollTrust(plan: RolloverPlan, options: RolloverOptions = {}): Promise<RolloverRecord> {
  return new Rollover(plan, options).run();
}

type Ask = "acknowledged" | "switched" | "retired";

class Rollover {
  readonly #plan: RolloverPlan;
  readonly #options: RolloverOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #both: TrustBundle;
  readonly #steps: Partial<Record<RolloverStep, Date>>;
  readonly #reports = new Map<string, RolloverParticipantReport>();
  readonly #waiting = new Set<string>();
  #step: RolloverStep = "published";
  #outcome: RolloverRecord["outcome"] = "running";
  #failure: string | undefined;
  #lastError: string | undefined;

  constructor(plan: RolloverPlan, options: RolloverOptions) {
    const { before, after } = plan;
    this.#plan = plan;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#signal = options.signal ?? new AbortController().signal;
    this.#both = createTrustBundle([...before.certificates, ...after.certificates]);
    this.#steps = stepsSoFar(plan, options.resume);
  }

  async run(): Promise<RolloverRecord> {
    const { publish, switchLeaves, after } = this.#plan;
    // Once dropped, publishing both again would bring the old trust back.
    const dropped = this.#steps.dropped !== undefined;
    try {
      if (!dropped) {
        await this.#take("published", (signal) => publish(this.#both, signal));
        await this.#take("acknowledged", (signal) => this.#askAll("acknowledged", this.#both, signal));
        await this.#take("switched", (signal) => switchLeaves(signal));
        await this.#take(
          "proved",
          (signal) => this.#askAll("switched", after, signal),
          () => this.#outlive(),
        );
      }
      await this.#take("dropped", (signal) => publish(after, signal));
      await this.#take("retired", (signal) => this.#askAll("retired", after, signal));
      this.#outcome = "complete";
      this.#logger.info({ rollover: this.#record() }, "trust rollover complete");
    } catch (error) {
      this.#outcome = "failed";
      this.#failure = error instanceof Error ? error.message : String(error);
      this.#logger.error(
        { rollover: this.#record() },
        "trust rollover failed; old and new trust stay in place",
      );
    }
    return this.#record();
  }

  async #take(
    step: RolloverStep,
    work: (signal: AbortSignal) => void | Promise<void>,
    afterwards?: () => Promise<void>,
  ): Promise<void> {
    this.#step = step;
    this.#lastError = undefined;
    const { stepTimeoutMs = 600_000 } = this.#options;
    await withDeadline(this.#clock, stepTimeoutMs, this.#signal, (signal) => this.#persist(work, signal));
    await afterwards?.();
    this.#signal.throwIfAborted();
    this.#steps[step] ??= this.#now();
    this.#logger.debug({ step }, "trust rollover step");
    await this.#options.onStep?.(this.#record());
  }

  /** A leaf issued just before the switch, of which nobody here knows, still has its whole life to go. */
  async #outlive(): Promise<void> {
    const { longestLeafMs = 0 } = this.#plan;
    const until = (this.#steps.switched?.getTime() ?? this.#clock.now()) + longestLeafMs;
    for (let left = until - this.#clock.now(); left > 0; left = until - this.#clock.now()) {
      await delay(this.#clock, left, this.#signal);
    }
  }

  async #askAll(ask: Ask, trust: TrustBundle, signal: AbortSignal): Promise<void> {
    const done = new Set<string>();
    for (;;) {
      const participants = await this.#plan.participants(signal);
      const open = participants.filter(({ name }) => !done.has(name));
      if (open.length === 0) return;
      await Promise.all(open.map((participant) => this.#ask(participant, ask, trust, signal)));
      for (const { name } of open) done.add(name);
    }
  }

  async #ask(
    participant: RolloverParticipant,
    ask: Ask,
    trust: TrustBundle,
    signal: AbortSignal,
  ): Promise<void> {
    const { name } = participant;
    this.#waiting.add(name);
    await this.#persist(
      async () => {
        // Who came after everybody had acknowledged may have started with files from before.
        if (ask !== "retired" && !this.#reports.get(name)?.acknowledgedAt) {
          await participant.acknowledged(this.#both, signal);
          this.#note(name, { acknowledgedAt: this.#now() });
        }
        if (ask === "switched") await participant.switched(trust, signal);
        if (ask === "retired") await participant.acknowledged(trust, signal);
        if (ask !== "acknowledged") this.#note(name, { [`${ask}At`]: this.#now() });
      },
      signal,
      name,
    );
    this.#waiting.delete(name);
  }

  async #persist(
    work: (signal: AbortSignal) => void | Promise<void>,
    signal: AbortSignal,
    participant?: string,
  ): Promise<void> {
    const { baseMs = 200, maxMs = 10_000 } = this.#options.retry ?? {};
    for (let failures = 1; ; failures++) {
      try {
        return await work(signal);
      } catch (error) {
        signal.throwIfAborted();
        this.#lastError = error instanceof Error ? error.message : String(error);
        if (participant) this.#note(participant, { error: this.#lastError });
        this.#logger.debug(
          { step: this.#step, participant, error: this.#lastError },
          "trust rollover attempt failed",
        );
      }
      await delay(this.#clock, backoffMs(failures, baseMs, maxMs), signal);
    }
  }

  #note(name: string, facts: Partial<RolloverParticipantReport>): void {
    const { error: _, ...report } = this.#reports.get(name) ?? { name };
    this.#reports.set(name, { ...report, ...facts });
  }

  #record(): RolloverRecord {
    const { before, after } = this.#plan;
    const { added, removed } = diffTrustBundles(before, after);
    const fingerprints = (certificates: readonly Certificate[]): string[] =>
      certificates.map(({ sha256 }) => sha256);
    return Object.freeze({
      before: before.sha256,
      after: after.sha256,
      added: fingerprints(added),
      removed: fingerprints(removed),
      steps: Object.freeze({ ...this.#steps }),
      outcome: this.#outcome,
      ...(this.#failure === undefined
        ? {}
        : { reason: { step: this.#step, message: this.#describeFailure() } }),
      participants: [...this.#reports.values()],
    });
  }

  #describeFailure(): string {
    const waiting = [...this.#waiting].map((name) => {
      const error = this.#reports.get(name)?.error;
      return error === undefined ? name : `${name} (${error})`;
    });
    const last = this.#lastError === undefined ? "" : ` (${this.#lastError})`;
    return `${this.#failure}${waiting.length > 0 ? `, waiting for ${waiting.join(", ")}` : last}`;
  }

  #now(): Date {
    return new Date(this.#clock.now());
  }
}

function stepsSoFar(
  plan: RolloverPlan,
  resume: RolloverResume | undefined,
): Partial<Record<RolloverStep, Date>> {
  if (plan.after.certificates.length === 0) {
    throw new RotationError(
      "ERR_ROTATION_OPTIONS",
      "the trust after a rollover is empty; keeping the trust before",
    );
  }
  if (resume && (resume.before !== plan.before.sha256 || resume.after !== plan.after.sha256)) {
    throw new RotationError(
      "ERR_ROTATION_OPTIONS",
      "the record to resume is of a rollover with other bundles",
    );
  }
  return Object.fromEntries(Object.entries(resume?.steps ?? {}).map(([step, at]) => [step, new Date(at)]));
}
