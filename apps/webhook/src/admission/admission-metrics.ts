import type { Metrics } from "@newleaf/daemon";
import type { ReviewRecord } from "@newleaf/webhook";
import type { Finding } from "../policy/finding.ts";

/** What is counted of reviews. */
export interface AdmissionCounts {
  reviewed(record: ReviewRecord): void;
  found(findings: readonly Finding[]): void;
}

/** Kinds that the rules are about; a label must not take whatever is sent. */
const kinds: ReadonlySet<string> = new Set([
  "Pod",
  "PodTemplate",
  "ReplicationController",
  "ReplicaSet",
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "Job",
  "CronJob",
  "Certificate",
]);

export function createAdmissionMetrics(metrics: Metrics): AdmissionCounts {
  const reviews = metrics.counter({
    name: "newleaf_webhook_admissions_total",
    help: "Admission reviews by how they ended, and by kind where the rules are about it",
    labelNames: ["outcome", "kind"],
  });
  const seconds = metrics.histogram({
    name: "newleaf_webhook_admission_seconds",
    help: "Time from the arrival of a review until it was answered",
    buckets: [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 10],
  });
  const findings = metrics.counter({
    name: "newleaf_webhook_findings_total",
    help: "What the rules found, by rule and severity",
    labelNames: ["rule", "severity"],
  });
  return {
    reviewed({ outcome, kind = "none", durationMs }) {
      reviews.inc({ outcome, kind: kind === "none" || kinds.has(kind) ? kind : "other" });
      seconds.observe(durationMs / 1_000);
    },
    found(list) {
      for (const { rule, severity } of list) findings.inc({ rule, severity });
    },
  };
}
