import type { Diagnosis } from "../diagnosis.ts";
import type { WorkloadApiFacts } from "../facts.ts";

/** Why the Workload API gives this workload no identity. */
export function diagnoseWorkloadApi(facts: WorkloadApiFacts | undefined): readonly Diagnosis[] {
  if (!facts?.failure) return [];
  const { kind, message } = facts.failure;
  const about = { subject: facts.address, severity: "wrong", certificates: true } as const;
  if (kind === "denied") {
    return [
      {
        ...about,
        code: "workload_api_denied",
        message: `the Workload API answers, and has no identity for this workload: ${message}`,
        remedy:
          "Its registration entry is missing, does not match the attested selectors, or has not reached the agent yet (some seconds after it was made).",
        command: "spire-server entry show",
      },
    ];
  }
  return [
    {
      ...about,
      code: "workload_api_unreachable",
      message:
        kind === "unreachable"
          ? `the Workload API cannot be reached: ${message}`
          : `the Workload API failed: ${message}`,
      remedy:
        "Check that the agent runs on this node and that its socket is mounted here. What was delivered before stays good until it expires.",
      command: "spire-agent healthcheck",
    },
  ];
}
