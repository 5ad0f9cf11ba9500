import type { Metrics } from "@newleaf/daemon";
import { stageTimes } from "@newleaf/observe";
import type { RotationRecord } from "@newleaf/rotation";
import type { ServedIdentity } from "./served-identity.ts";

/** What rotations and peers of the listener do, for counting. */
export interface IdentityCounts {
  record(source: string, record: RotationRecord): void;
  rejected(code: string): void;
}

/** The metrics of every Newleaf program's rotations, with the identity they are of in the label `source`. */
export function createIdentityMetrics(
  metrics: Metrics,
  identities: () => readonly ServedIdentity[],
): IdentityCounts {
  const stageSeconds = metrics.histogram({
    name: "newleaf_rotation_stage_seconds",
    help: "Time from the delivery of a new identity until a stage was reached; served: every Envoy has taken it over",
    labelNames: ["source", "stage"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10, 30, 120, 600],
  });
  const rotations = metrics.counter({
    name: "newleaf_rotations_total",
    help: "Rotations by how they ended: complete, refused, superseded; stalled counts each stall",
    labelNames: ["source", "outcome"],
  });
  const rejections = metrics.counter({
    name: "newleaf_rejections_total",
    help: "Connections refused or ended because of the peer, by reason",
    labelNames: ["code"],
  });
  registerGauges(metrics, identities);
  return {
    record(source, record) {
      rotations.inc({ source, outcome: record.outcome });
      if (record.outcome !== "complete" && record.outcome !== "superseded") return;
      for (const [stage, ms] of Object.entries(stageTimes(record))) {
        if (stage !== "delivered") stageSeconds.observe({ source, stage }, Math.max(0, ms / 1_000));
      }
    },
    rejected: (code) => rejections.inc({ code }),
  };
}

function registerGauges(metrics: Metrics, identities: () => readonly ServedIdentity[]): void {
  const present = () => identities().flatMap(({ name, current }) => (current ? [{ name, ...current }] : []));
  metrics.gauge({
    name: "newleaf_certificate_not_after_timestamp_seconds",
    help: "When the current identity expires: the earliest notAfter of its chain, seconds since the epoch",
    labelNames: ["source", "identity"],
    collect() {
      this.reset();
      for (const { name, source } of present()) {
        const { identity, notAfter } = source.current();
        this.set({ source: name, identity }, notAfter.getTime() / 1_000);
      }
    },
  });
  metrics.gauge({
    name: "newleaf_identity_generation",
    help: "Number of the current generation: identities accepted since the start; 0 while there is none",
    labelNames: ["source"],
    collect() {
      for (const { name, current } of identities()) {
        this.set({ source: name }, current?.source.current().number ?? 0);
      }
    },
  });
  metrics.gauge({
    name: "newleaf_identity_stale",
    help: "1 while the last update was refused and an older identity is kept",
    labelNames: ["source"],
    collect() {
      for (const { name, source } of present()) this.set({ source: name }, source.status().stale ? 1 : 0);
    },
  });
  metrics.counter({
    name: "newleaf_updates_refused_total",
    help: "Updates of the identity that were refused, by reason; the identity before them was kept",
    labelNames: ["source", "code"],
    collect() {
      this.reset();
      for (const { name, source } of present()) {
        for (const [code, count] of Object.entries(source.status().refusals)) {
          this.inc({ source: name, code }, count);
        }
      }
    },
  });
}
