/**
 * `newleaf doctor`: facts are gathered, then diagnosed by a pure function, then reported.
 *
 * ```ts
 * const facts = await gather({ targets: ["postgres://db"], certificates: "/etc/tls", timeoutMs: 5_000, signal, logger });
 * for (const { code, message, command } of diagnose(facts, new Date()).diagnoses) console.log(code, message, command);
 * ```
 * @module
 */
import type { Command } from "@newleaf/daemon";
import { doctorCommand } from "./doctor-command.ts";

export { diagnose } from "./diagnose.ts";
export type { Diagnosis, DiagnosisCode, Report, Row } from "./diagnosis.ts";
export type {
  Facts,
  Part,
  PostgresFacts,
  ServedLeaf,
  SessionFacts,
  StoredFile,
  StoreFacts,
  TargetFacts,
  Unreached,
  WorkloadApiFacts,
} from "./facts.ts";
export { type GatherOptions, gather } from "./gather.ts";
export type { WebhookLook } from "./internal/look-at-webhook.ts";
export { renderReport, reportJson } from "./render-report.ts";
export type {
  AccountFacts,
  AnnouncementFacts,
  AuthorityFacts,
  CallerFacts,
  ElectionFacts,
  ReplicaFacts,
  Seen,
  ServingSecretFacts,
  WebhookFacts,
  Writer,
} from "./webhook-facts.ts";
export { doctorCommand };

/** The commands of this program, for the command line to find. */
export const commands: readonly Command[] = [doctorCommand];
