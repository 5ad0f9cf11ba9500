/**
 * Certificates for admission webhooks with any number of replicas: an elected leader issues, followers follow, and
 * the server answers AdmissionReviews.
 *
 * ```ts
 * import https from "node:https";
 * import { createAdmissionHandler, verdict } from "@newleaf/webhook";
 *
 * const handler = createAdmissionHandler({
 *   validate: ({ object }) => (object?.metadata?.labels?.owner ? verdict.allow() : verdict.deny("no owner")),
 * });
 * https.createServer({ key, cert }, handler).listen(8443);
 * ```
 *
 * @module
 */
export { type AdmissionHandlerOptions, createAdmissionHandler } from "./admission.ts";
export type { AdmissionRoute, Reviewer } from "./admission-decide.ts";
export type { ReviewOutcome, ReviewRecord } from "./admission-record.ts";
export type { AdmissionOperation, AdmissionRequest, AdmissionUser } from "./admission-review.ts";
export {
  type Allowed,
  type Change,
  type Denied,
  type Mutated,
  type MutatingVerdict,
  type ValidatingVerdict,
  type VerdictNotes,
  verdict,
} from "./admission-verdict.ts";
