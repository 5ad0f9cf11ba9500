import type { Clock } from "../clock.ts";
import { RotationError } from "../error.ts";
import type { Generation } from "../generation.ts";
import type { Logger } from "../logger.ts";
import type {
  ConsumerReport,
  GenerationFacts,
  RotationOutcome,
  RotationReason,
  RotationRecord,
  ServedFacts,
  Stage,
} from "../rotation-record.ts";
import { generationFacts, servedFacts } from "../rotation-record.ts";
import { isProved, type ServedReport } from "../served.ts";
import { backoffMs } from "./backoff.ts";
import type { ConsumerLane } from "./consumer-lane.ts";
import { delay, withDeadline } from "./deadline.ts";

export interface RunContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lanes: readonly ConsumerLane[];
  readonly stageTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  /** What peers were served before this run, if anything. */
  readonly before: ServedFacts | undefined;
  /** The first generation has nothing to drain. */
  readonly first: boolean;
  readonly onStage: (run: RotationRun, stage: Stage) => void;
  /** It ended, or it stalled for the first time. */
  readonly onReport: (record: RotationRecord) => void;
}

type Work = (lane: ConsumerLane, signal: AbortSignal, retry: boolean) => void | Promise<void>;
type Active = "loaded" | "served" | "drained";

const STEP = { loaded: "load", served: "prove", drained: "drain" } as const;

/** The way of one generation through the stages. Ends as complete or superseded; until then it never gives up. */
export class RotationRun {
  readonly number: number;
  readonly done: Promise<void>;
  readonly #context: RunContext;
  readonly #control = new AbortController();
  // Facts, not the generation: a kept record must not keep a key and a context alive.
  readonly #facts: GenerationFacts;
  readonly #stages: Partial<Record<Stage, Date>>;
  readonly #reports: Map<ConsumerLane, ConsumerReport>;
  #outcome: RotationOutcome = "running";
  #reason: RotationReason | undefined;
  #stillServed: ServedFacts | undefined;
  #failures = 0;
  /** Until the next change. */
  #snapshot: RotationRecord | undefined;
  #stallReported = false;

  constructor(generation: Generation, context: RunContext) {
    this.#context = context;
    this.number = generation.number;
    this.#facts = generationFacts(generation);
    this.#stages = { delivered: generation.deliveredAt, verified: generation.verifiedAt };
    this.#reports = new Map(context.lanes.map((lane) => [lane, { name: lane.consumer.name }]));
    this.done = this.#pass(generation);
  }

  get ended(): boolean {
    return this.#outcome === "complete" || this.#outcome === "superseded";
  }

  reached(stage: Stage): boolean {
    return this.#stages[stage] !== undefined;
  }

  /** A newer generation came. What is served already goes on draining; the rest is given up. */
  supersede(): void {
    if (this.ended || this.reached("served")) return;
    this.#end("superseded");
    this.#control.abort(new RotationError("ERR_ROTATION_SUPERSEDED", "a newer generation was delivered"));
  }

  /** A newer generation has drained everything older than itself, and with it what this one was draining. */
  coverDrain(): void {
    if (this.ended || !this.reached("served")) return;
    this.#finish();
    this.#control.abort(new RotationError("ERR_ROTATION_SUPERSEDED", "a newer generation drained"));
  }

  /** Stops where it stands, without a verdict. */
  stop(): void {
    this.#control.abort(new RotationError("ERR_ROTATION_CLOSED", "rotation was disposed"));
  }

  record(): RotationRecord {
    this.#snapshot ??= this.#takeSnapshot();
    return this.#snapshot;
  }

  #takeSnapshot(): RotationRecord {
    return Object.freeze({
      ...this.#facts,
      stages: Object.freeze({ ...this.#stages }),
      outcome: this.#outcome,
      ...(this.#reason ? { reason: this.#reason } : {}),
      ...(this.#stillServed ? { stillServed: this.#stillServed } : {}),
      consumers: Object.freeze([...this.#reports.values()]),
      failures: this.#failures,
    });
  }

  async #pass(generation: Generation): Promise<void> {
    try {
      await this.#reach("loaded", (lane, signal) => this.#load(lane, generation, signal));
      await this.#reach("served", (lane, signal, retry) => this.#prove(lane, generation, signal, retry));
      if (!this.#context.first) {
        await this.#reach("drained", (lane, signal) => this.#drain(lane, generation, signal));
      }
      this.#finish();
    } catch (error) {
      if (!this.#control.signal.aborted) throw error;
    }
  }

  async #reach(stage: Active, work: Work): Promise<void> {
    await Promise.all(this.#context.lanes.map((lane) => this.#persist(stage, lane, work)));
    this.#control.signal.throwIfAborted();
    if (this.#outcome === "stalled") this.#settle("running");
    this.#mark(stage);
  }

  async #persist(stage: Active, lane: ConsumerLane, work: Work): Promise<void> {
    const { clock, retryBaseMs, retryMaxMs } = this.#context;
    const ms = stage === "drained" ? this.#context.drainTimeoutMs : this.#context.stageTimeoutMs;
    const { signal } = this.#control;
    for (let failures = 0; ; ) {
      try {
        return await withDeadline(clock, ms, signal, (attempt) => work(lane, attempt, failures > 0));
      } catch (error) {
        signal.throwIfAborted();
        failures += 1;
        this.#fail(stage, lane, error);
      }
      await delay(clock, backoffMs(failures, retryBaseMs, retryMaxMs), signal);
    }
  }

  async #load(lane: ConsumerLane, generation: Generation, signal: AbortSignal): Promise<void> {
    await lane.load(generation, signal);
    this.#note(lane, { loadedAt: this.#now() });
  }

  async #prove(
    lane: ConsumerLane,
    generation: Generation,
    signal: AbortSignal,
    retry: boolean,
  ): Promise<void> {
    const { consumer } = lane;
    if (retry) await this.#load(lane, generation, signal);
    // Of an identity that was taken away nothing is to be served: the consumer has it, and that is all.
    if (!consumer.prove || generation.withdrawn !== undefined)
      return this.#note(lane, { servedAt: this.#now() });
    const served = await consumer.prove(generation, signal);
    signal.throwIfAborted();
    this.#note(lane, { served });
    const unproved = served.find((report) => !isProved(report));
    if (unproved) throw new NotServed(unproved);
    this.#note(lane, { servedAt: this.#now() });
  }

  async #drain(lane: ConsumerLane, generation: Generation, signal: AbortSignal): Promise<void> {
    const drained = await lane.consumer.drain?.(generation, signal);
    signal.throwIfAborted();
    this.#note(lane, { drainedAt: this.#now(), ...(drained ? { drained } : {}) });
  }

  #note(lane: ConsumerLane, facts: Partial<ConsumerReport>): void {
    const { error: _, ...report } = this.#reports.get(lane) ?? { name: lane.consumer.name };
    this.#reports.set(lane, Object.freeze({ ...report, ...facts }));
    this.#snapshot = undefined;
  }

  #fail(stage: Active, lane: ConsumerLane, error: unknown): void {
    const { name } = lane.consumer;
    const message = error instanceof Error ? error.message : String(error);
    this.#failures += 1;
    this.#note(lane, { error: message });
    this.#context.logger.debug(
      { generation: this.number, consumer: name, stage, error: message },
      "rotation attempt failed",
    );
    this.#outcome = "stalled";
    this.#reason = { code: failureCode(stage, error), message: `${name}: ${message}`, stage };
    this.#stillServed = servedInstead(error) ?? this.#context.before;
    this.#snapshot = undefined;
    if (this.#stallReported) return;
    this.#stallReported = true;
    this.#context.onReport(this.record());
  }

  #mark(stage: Stage): void {
    this.#stages[stage] = this.#now();
    this.#snapshot = undefined;
    this.#context.onStage(this, stage);
  }

  /** Everything older is gone: `retired` is when nothing refers to it any more, not even this engine. */
  #finish(): void {
    // A newer run that drained in the same moment may have ended this one already.
    if (this.ended) return;
    if (!this.#context.first) {
      if (!this.reached("drained")) this.#mark("drained");
      this.#mark("retired");
    }
    this.#end("complete");
  }

  #end(outcome: "complete" | "superseded"): void {
    this.#settle(outcome);
    this.#context.onReport(this.record());
  }

  #settle(outcome: "running" | "complete" | "superseded"): void {
    this.#outcome = outcome;
    this.#reason = undefined;
    this.#stillServed = undefined;
    this.#snapshot = undefined;
  }

  #now(): Date {
    return new Date(this.#context.clock.now());
  }
}

/** Proof that something else is served: the report says what. */
class NotServed extends Error {
  readonly report: ServedReport;

  constructor(report: ServedReport) {
    const untrusted = report.trusted?.ok === false ? `, chain not trusted: ${report.trusted.message}` : "";
    const because = report.message ? `: ${report.message}` : "";
    super(`${report.target} is ${report.verdict}${untrusted}${because}`);
    this.report = report;
  }
}

function servedInstead(error: unknown): ServedFacts | undefined {
  return error instanceof NotServed && error.report.served
    ? servedFacts(error.report.served.leaf)
    : undefined;
}

function failureCode(stage: Active, error: unknown): string {
  if (error instanceof NotServed) return "not_served";
  const timeout = error instanceof RotationError && error.code === "ERR_ROTATION_TIMEOUT";
  return `${STEP[stage]}_${timeout ? "timeout" : "failed"}`;
}
