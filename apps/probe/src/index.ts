/**
 * Checks from the outside: `newleaf probe` asks a service again and again over mTLS, or tries everything that it
 * must refuse; `newleaf verify` compares the certificate served with the one stored.
 *
 * ```ts
 * const target = parseProbeTarget("https://backend:8443/");
 * const summary = await runProbe({ target, source, everyMs: 1_000, concurrency: 4, timeoutMs: 5_000, signal });
 * console.log(summary.failures, summary.rotations);
 * ```
 * @module
 */
import type { Command } from "@newleaf/daemon";
import { probeCommand } from "./probe-command.ts";
import { verifyCommand } from "./verify-command.ts";

export { type Attempt, type AttemptOptions, attemptOctets, attemptRequest, type Outcome } from "./attempt.ts";
export { type FailureReason, failureReason } from "./failure-reason.ts";
export { type Credentials, forge, type Names, namesOf } from "./forged-identity.ts";
export { frozenSource } from "./frozen-source.ts";
export { createLatencies, type Latencies } from "./latencies.ts";
export { type ProbeEvent, type ProbeOptions, type ProbeSummary, runProbe } from "./prober.ts";
export {
  type RogueOptions,
  type RogueReport,
  type RogueResult,
  type RogueVerdict,
  tryRogue,
} from "./rogue.ts";
export type { RogueContext, RogueMeans } from "./rogue-means.ts";
export { renderTable } from "./table.ts";
export { type ProbeTarget, parseProbeTarget } from "./target-url.ts";
export { type VerifyOptions, type VerifyResult, verifyTarget } from "./verify-targets.ts";
export { probeCommand, verifyCommand };

/** The commands of this program, for the command line to find. */
export const commands: readonly Command[] = [probeCommand, verifyCommand];
