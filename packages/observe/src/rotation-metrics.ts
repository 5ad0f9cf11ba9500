import type { Metrics } from "@newleaf/daemon";
import type { IdentitySource, Rotation, RotationRecord } from "@newleaf/rotation";
import { stageTimes } from "./log-record.ts";
import type { ConnectionsByGeneration } from "./observe-rotation.ts";
import { createServedTargets } from "./served-targets.ts";

/** The metrics of one rotation. Gauges read their value when they are scraped. */
export interface RotationMetrics {
  count(record: RotationRecord): void;
  countRejection(code: string): void;
}

export interface RotationMetricsSource {
  readonly rotation: Rotation;
  readonly source: IdentitySource;
  readonly connections: (() => ConnectionsByGeneration) | undefined;
}

export function createRotationMetrics(metrics: Metrics, from: RotationMetricsSource): RotationMetrics {
  const stageSeconds = metrics.histogram({
    name: "newleaf_rotation_stage_seconds",
    help: "Time from the delivery of a new identity until a stage was reached",
    labelNames: ["stage"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10, 30, 120, 600],
  });
  const rotations = metrics.counter({
    name: "newleaf_rotations_total",
    help: "Rotations by how they ended: complete, refused, superseded; stalled counts each stall",
    labelNames: ["outcome"],
  });
  const rejections = metrics.counter({
    name: "newleaf_rejections_total",
    help: "Connections refused or ended because of the peer, by reason",
    labelNames: ["code"],
  });
  for (const outcome of ["complete", "refused", "stalled", "superseded"]) rotations.inc({ outcome }, 0);
  registerIdentity(metrics, from);
  registerServed(metrics, from);
  if (from.connections !== undefined) registerConnections(metrics, from, from.connections);
  return {
    count(record) {
      rotations.inc({ outcome: record.outcome });
      if (record.outcome !== "complete" && record.outcome !== "superseded") return;
      for (const [stage, ms] of Object.entries(stageTimes(record))) {
        if (stage !== "delivered") stageSeconds.observe({ stage }, Math.max(0, ms / 1_000));
      }
    },
    countRejection: (code) => rejections.inc({ code }),
  };
}

function registerIdentity(metrics: Metrics, { source }: RotationMetricsSource): void {
  metrics.gauge({
    name: "newleaf_certificate_not_after_timestamp_seconds",
    help: "When the current identity expires: the earliest notAfter of its chain, seconds since the epoch",
    labelNames: ["identity"],
    collect() {
      const { identity, notAfter } = source.current();
      this.reset();
      this.set({ identity }, notAfter.getTime() / 1_000);
    },
  });
  metrics.gauge({
    name: "newleaf_identity_generation",
    help: "Number of the current generation: identities accepted since the start",
    collect() {
      this.set(source.current().number);
    },
  });
  metrics.gauge({
    name: "newleaf_identity_stale",
    help: "1 while the last update was refused and an older identity is kept",
    collect() {
      this.set(source.status().stale ? 1 : 0);
    },
  });
  metrics.counter({
    name: "newleaf_updates_refused_total",
    help: "Updates of the identity that were refused, by reason; the identity before them was kept",
    labelNames: ["code"],
    collect() {
      this.reset();
      for (const [code, count] of Object.entries(source.status().refusals)) this.inc({ code }, count);
    },
  });
}

function registerServed(metrics: Metrics, { rotation }: RotationMetricsSource): void {
  const targets = createServedTargets(rotation);
  metrics.gauge({
    name: "newleaf_served_matches_delivered",
    help: "1 while a handshake with the target showed the certificate that was delivered",
    labelNames: ["target"],
    collect() {
      this.reset();
      for (const { target, matches } of targets()) this.set({ target }, matches ? 1 : 0);
    },
  });
  metrics.gauge({
    name: "newleaf_served_not_after_timestamp_seconds",
    help: "When the certificate that the target was last seen to serve expires, seconds since the epoch",
    labelNames: ["target"],
    collect() {
      this.reset();
      for (const { target, notAfter } of targets()) {
        if (notAfter !== undefined) this.set({ target }, notAfter.getTime() / 1_000);
      }
    },
  });
}

function registerConnections(
  metrics: Metrics,
  { source }: RotationMetricsSource,
  connections: () => ConnectionsByGeneration,
): void {
  metrics.gauge({
    name: "newleaf_connections",
    help: "Open connections of the current generation, and of older ones that still drain",
    labelNames: ["generation"],
    collect() {
      const current = source.current().number;
      let [newest, older] = [0, 0];
      for (const [generation, count] of connections()) {
        if (generation >= current) newest += count;
        else older += count;
      }
      this.set({ generation: "current" }, newest);
      this.set({ generation: "older" }, older);
    },
  });
}
