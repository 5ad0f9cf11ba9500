import { type Clock, systemClock } from "./clock.ts";
import type { Consumer } from "./consumer.ts";
import { RotationError } from "./error.ts";
import type { Generation } from "./generation.ts";
import type { IdentitySource, Refusal } from "./identity-source.ts";
import { createBroadcast } from "./internal/broadcast.ts";
import { createConsumerLane } from "./internal/consumer-lane.ts";
import { withDeadline } from "./internal/deadline.ts";
import { RotationRun } from "./internal/rotation-run.ts";
import { createWaiters } from "./internal/waiters.ts";
import { type Logger, silentLogger } from "./logger.ts";
import {
  describeRecord,
  generationFacts,
  type RotationReason,
  type RotationRecord,
  type ServedFacts,
} from "./rotation-record.ts";

export type { Consumer } from "./consumer.ts";

export interface RotationOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** For each attempt of load and prove: 30 s. */
  readonly stageTimeoutMs?: number;
  /** For each attempt to drain: 5 min. */
  readonly drainTimeoutMs?: number;
  /** Failed attempts are repeated after 200 ms, doubling up to 30 s, half of it random. */
  readonly retry?: { readonly baseMs?: number; readonly maxMs?: number };
  /** Records kept for `recent()`: 100. */
  readonly keep?: number;
  /** How long disposal waits for drains under way: 5 s. */
  readonly closeTimeoutMs?: number;
}

/** A generation by number (that one or a later one), by leaf SHA-256, or by any other property of its record. */
export type RotationMatch = number | string | ((record: RotationRecord) => boolean);

export interface RotationStatus {
  /** The newest generation delivered. */
  readonly generation: number;
  readonly notAfter: Date;
  /** The newest generation that every consumer loaded, and the newest that was proved to be served. */
  readonly loaded: number | undefined;
  readonly served: number | undefined;
  /** Why the newest generation is held up, while it is. */
  readonly stalled: RotationReason | undefined;
  /** Served generations whose predecessors still have connections. */
  readonly draining: number;
}

export interface Rotation extends AsyncDisposable {
  /**
   * Each rotation when it ends (complete, refused, superseded), and once when it stalls. From now on; a reader
   * more than 256 records behind loses the oldest.
   */
  records(signal?: AbortSignal): AsyncIterableIterator<RotationRecord>;
  /** The last rotations, oldest first, those under way included. */
  recent(): readonly RotationRecord[];
  /** The newest generation's record as it stands. */
  current(): RotationRecord;
  status(): RotationStatus;
  /** Resolves with the record once a matching generation is served everywhere; ERR_ROTATION_CLOSED on disposal. */
  whenServed(match: RotationMatch, signal?: AbortSignal): Promise<RotationRecord>;
  /** As `whenServed`, and nothing uses an older generation any more. */
  whenComplete(match: RotationMatch, signal?: AbortSignal): Promise<RotationRecord>;
}

const READER_LIMIT = 256;

/**
 * Moves the consumers to each generation of the source, from the current one on, and records how far each came.
 * Synchronous consumers have loaded the current generation when this returns. Neither the source nor the consumers
 * are disposed with the rotation.
 */
export function startRotation(
  source: IdentitySource,
  consumers: readonly Consumer[],
  options: RotationOptions = {},
): Rotation {
  return new Engine(source, consumers, options);
}

type Entry = { record(): RotationRecord };

class Engine implements Rotation {
  readonly #source: IdentitySource;
  readonly #options: RotationOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #lanes: ReturnType<typeof createConsumerLane>[];
  readonly #control = new AbortController();
  readonly #broadcast = createBroadcast<RotationRecord>();
  readonly #waiters = createWaiters();
  readonly #active = new Set<RotationRun>();
  readonly #loops: Promise<void>[];
  #recent: Entry[] = [];
  #newest: RotationRun;
  #loaded: number | undefined;
  #served: number | undefined;
  #lastServed: ServedFacts | undefined;
  #disposal: Promise<void> | undefined;

  constructor(source: IdentitySource, consumers: readonly Consumer[], options: RotationOptions) {
    this.#source = source;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#lanes = consumers.map((consumer) => createConsumerLane(consumer, this.#clock));
    this.#newest = this.#begin(source.current(), true);
    this.#loops = [this.#followGenerations(), this.#followRefusals()];
  }

  records(signal?: AbortSignal): AsyncIterableIterator<RotationRecord> {
    return this.#broadcast.subscribe({ capacity: READER_LIMIT, signal });
  }

  recent(): readonly RotationRecord[] {
    return this.#recent.map((entry) => entry.record());
  }

  current(): RotationRecord {
    return this.#newest.record();
  }

  status(): RotationStatus {
    const { generation, notAfter, reason } = this.current();
    const draining = [...this.#active].filter((run) => run.reached("served")).length;
    return {
      generation,
      notAfter,
      loaded: this.#loaded,
      served: this.#served,
      stalled: reason,
      draining,
    };
  }

  whenServed(match: RotationMatch, signal?: AbortSignal): Promise<RotationRecord> {
    return this.#when((record) => record.stages.served !== undefined && matches(record, match), signal);
  }

  whenComplete(match: RotationMatch, signal?: AbortSignal): Promise<RotationRecord> {
    return this.#when((record) => record.outcome === "complete" && matches(record, match), signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  #when(test: (record: RotationRecord) => boolean, signal?: AbortSignal): Promise<RotationRecord> {
    const known = this.recent().findLast(test);
    if (known) return Promise.resolve(known);
    return this.#waiters.wait(test, signal);
  }

  async #followGenerations(): Promise<void> {
    for await (const generation of this.#source.watch(this.#control.signal)) {
      if (this.#control.signal.aborted) return;
      if (generation.number <= this.#newest.number) continue;
      this.#newest.supersede();
      this.#newest = this.#begin(generation, false);
    }
  }

  async #followRefusals(): Promise<void> {
    for await (const refusal of this.#source.refusals(this.#control.signal)) this.#refuse(refusal);
  }

  #begin(generation: Generation, wasServing: boolean): RotationRun {
    const { stageTimeoutMs = 30_000, drainTimeoutMs = 300_000, retry } = this.#options;
    const run = new RotationRun(generation, {
      clock: this.#clock,
      logger: this.#logger,
      lanes: this.#lanes,
      stageTimeoutMs,
      drainTimeoutMs,
      retryBaseMs: retry?.baseMs ?? 200,
      retryMaxMs: retry?.maxMs ?? 30_000,
      before: this.#lastServed,
      first: wasServing,
      onStage: (changed) => this.#staged(changed),
      onReport: (record) => this.#report(record),
    });
    this.#active.add(run);
    this.#keep(run);
    void run.done.then(() => this.#active.delete(run));
    return run;
  }

  #refuse(refusal: Refusal): void {
    const kept = this.#source.current();
    const record: RotationRecord = Object.freeze<RotationRecord>({
      ...generationFacts(kept),
      stages: Object.freeze({ delivered: refusal.at }),
      outcome: "refused",
      reason: { code: refusal.code, message: refusal.message, stage: "verified" },
      ...(this.#lastServed ? { stillServed: this.#lastServed } : {}),
      consumers: [],
      failures: 0,
    });
    this.#keep({ record: () => record });
    this.#report(record);
  }

  #keep(entry: Entry): void {
    this.#recent.push(entry);
    if (this.#recent.length > (this.#options.keep ?? 100)) this.#recent.shift();
  }

  #staged(run: RotationRun): void {
    const record = run.record();
    if (run.reached("loaded")) this.#loaded = Math.max(this.#loaded ?? 0, run.number);
    if (run.reached("served") && run.number >= (this.#served ?? 0)) {
      this.#served = run.number;
      this.#lastServed = {
        sha256: record.sha256,
        serialNumber: record.serialNumber,
        notAfter: record.notAfter,
      };
    }
    if (run.reached("drained")) {
      for (const older of this.#active) if (older.number < run.number) older.coverDrain();
    }
    this.#waiters.offer(record);
  }

  #report(record: RotationRecord): void {
    const fields = { rotation: describeRecord(record) };
    if (record.outcome === "complete") this.#logger.info(fields, "rotation complete");
    else if (record.outcome === "superseded") this.#logger.info(fields, "rotation superseded");
    // Its source has warned of it already.
    else if (record.outcome === "refused") this.#logger.debug(fields, "rotation refused");
    else this.#logger.warn(fields, "rotation stalled");
    this.#waiters.offer(record);
    this.#broadcast.publish(record);
  }

  async #dispose(): Promise<void> {
    this.#control.abort(new RotationError("ERR_ROTATION_CLOSED", "rotation was disposed"));
    for (const run of this.#active) if (!run.reached("served")) run.stop();
    const { closeTimeoutMs = 5_000 } = this.#options;
    const never = new AbortController().signal;
    const draining = Promise.all([...this.#active].map((run) => run.done));
    await withDeadline(this.#clock, closeTimeoutMs, never, () => draining).catch(() => {});
    for (const run of this.#active) run.stop();
    await Promise.all([draining, ...this.#loops]);
    this.#waiters.close(new RotationError("ERR_ROTATION_CLOSED", "rotation was disposed"));
    this.#broadcast.close();
  }
}

function matches(record: RotationRecord, match: RotationMatch): boolean {
  if (typeof match === "number") return record.generation >= match;
  if (typeof match === "string") return record.sha256 === match;
  return match(record);
}
