import type { Certificate } from "@newleaf/x509";
import type { DrainReport } from "./consumer.ts";
import type { Generation } from "./generation.ts";
import type { ServedReport } from "./served.ts";

/** How far a generation has come: each stage is reached when every consumer has reached it. */
export type Stage = "delivered" | "verified" | "loaded" | "served" | "drained" | "retired";

/**
 * - `running`: under way
 * - `complete`: every consumer serves this generation and nothing uses an older one
 * - `refused`: the gate kept the previous generation; the facts are those of the generation kept
 * - `stalled`: a stage failed or missed its deadline; it is retried until it succeeds or a newer generation comes
 * - `superseded`: a newer generation came before this one was served
 */
export type RotationOutcome = "running" | "complete" | "refused" | "stalled" | "superseded";

export interface GenerationFacts {
  readonly generation: number;
  readonly identity: string;
  readonly serialNumber: string;
  /** Lower hex SHA-256 of the leaf. */
  readonly sha256: string;
  readonly notAfter: Date;
  readonly trustSha256: string;
  /** Why the identity was taken away: this generation is the absence of one. */
  readonly withdrawn?: string;
}

/** One rotation, as it is logged, counted and shown: the facts of the generation and the time of each stage. */
export interface RotationRecord extends GenerationFacts {
  readonly stages: Readonly<Partial<Record<Stage, Date>>>;
  readonly outcome: RotationOutcome;
  readonly reason?: RotationReason;
  /** While stalled or refused: what peers are still being served, and when that expires. */
  readonly stillServed?: ServedFacts;
  readonly consumers: readonly ConsumerReport[];
  /** Attempts that failed so far, over all consumers and stages. */
  readonly failures: number;
}

export interface RotationReason {
  /** A `RefusalCode` of the gate, or `load_failed`, `load_timeout`, `prove_failed`, `prove_timeout`, `not_served`, `drain_failed`, `drain_timeout`. */
  readonly code: string;
  readonly message: string;
  /** The stage that was not reached. */
  readonly stage?: Stage;
}

export interface ServedFacts {
  readonly sha256: string;
  readonly serialNumber: string;
  readonly notAfter: Date;
}

export interface ConsumerReport {
  readonly name: string;
  readonly loadedAt?: Date;
  readonly servedAt?: Date;
  readonly served?: readonly ServedReport[];
  readonly drainedAt?: Date;
  readonly drained?: DrainReport;
  /** Why the last attempt failed; absent once it succeeded. */
  readonly error?: string;
}

/** The record as plain data for logs and HTTP: dates in ISO 8601, certificates as facts, never a key. */
export interface RotationRecordJson {
  readonly generation: number;
  readonly identity: string;
  readonly serialNumber: string;
  readonly sha256: string;
  readonly notAfter: string;
  readonly trustSha256: string;
  readonly withdrawn?: string;
  readonly stages: Readonly<Partial<Record<Stage, string>>>;
  readonly outcome: RotationOutcome;
  readonly reason?: RotationReason;
  readonly stillServed?: ServedFactsJson;
  readonly consumers: readonly ConsumerReportJson[];
  readonly failures: number;
}

export interface ServedFactsJson {
  readonly sha256: string;
  readonly serialNumber: string;
  readonly notAfter: string;
}

export interface ServedReportJson {
  readonly target: string;
  readonly verdict: ServedReport["verdict"];
  readonly durationMs: number;
  readonly protocol?: string;
  readonly served?: ServedFactsJson;
  readonly chainLength?: number;
  readonly trusted?: boolean;
  readonly message?: string;
}

export interface ConsumerReportJson {
  readonly name: string;
  readonly loadedAt?: string;
  readonly servedAt?: string;
  readonly served?: readonly ServedReportJson[];
  readonly drainedAt?: string;
  readonly drained?: DrainReport;
  readonly error?: string;
}

export function describeRecord(record: RotationRecord): RotationRecordJson {
  const stages = Object.entries(record.stages).map(([stage, at]) => [stage, at.toISOString()]);
  return {
    generation: record.generation,
    identity: record.identity,
    serialNumber: record.serialNumber,
    sha256: record.sha256,
    notAfter: record.notAfter.toISOString(),
    trustSha256: record.trustSha256,
    ...(record.withdrawn === undefined ? {} : { withdrawn: record.withdrawn }),
    stages: Object.fromEntries(stages),
    outcome: record.outcome,
    ...(record.reason ? { reason: record.reason } : {}),
    ...(record.stillServed ? { stillServed: describeFacts(record.stillServed) } : {}),
    consumers: record.consumers.map(describeConsumer),
    failures: record.failures,
  };
}

/** One proof as plain data, for logs and `--json`. */
export function describeServed(report: ServedReport): ServedReportJson {
  const { served, trusted, message } = report;
  return {
    target: report.target,
    verdict: report.verdict,
    durationMs: Math.round(report.durationMs * 10) / 10,
    ...(served
      ? {
          protocol: served.protocol,
          served: describeFacts(servedFacts(served.leaf)),
          chainLength: served.chain.length,
        }
      : {}),
    ...(trusted ? { trusted: trusted.ok } : {}),
    ...(message === undefined ? {} : { message }),
  };
}

export function generationFacts(generation: Generation): GenerationFacts {
  return {
    generation: generation.number,
    identity: generation.identity,
    serialNumber: generation.leaf.serialNumber,
    sha256: generation.leaf.sha256,
    notAfter: generation.notAfter,
    trustSha256: generation.trust.sha256,
    ...(generation.withdrawn === undefined ? {} : { withdrawn: generation.withdrawn }),
  };
}

export function servedFacts(leaf: Certificate): ServedFacts {
  return { sha256: leaf.sha256, serialNumber: leaf.serialNumber, notAfter: leaf.notAfter };
}

function describeFacts(facts: ServedFacts): ServedFactsJson {
  return { ...facts, notAfter: facts.notAfter.toISOString() };
}

function describeConsumer(report: ConsumerReport): ConsumerReportJson {
  const { name, loadedAt, servedAt, served, drainedAt, drained, error } = report;
  return {
    name,
    ...(loadedAt ? { loadedAt: loadedAt.toISOString() } : {}),
    ...(servedAt ? { servedAt: servedAt.toISOString() } : {}),
    ...(served ? { served: served.map(describeServed) } : {}),
    ...(drainedAt ? { drainedAt: drainedAt.toISOString() } : {}),
    ...(drained ? { drained } : {}),
    ...(error === undefined ? {} : { error }),
  };
}
