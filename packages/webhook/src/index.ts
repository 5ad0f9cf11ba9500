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
export { type AnnotationNames, annotationNames, DEFAULT_ANNOTATION_PREFIX } from "./annotations.ts";
export type { RolloverNote, RolloverReason } from "./authority-state.ts";
export type { BundleTarget } from "./ca-bundle.ts";
export { WebhookError, type WebhookErrorCode } from "./error.ts";
export {
  type FollowCertificateOptions,
  type FollowerStatus,
  followCertificate,
  type MountOptions,
  type OpenMount,
} from "./follower.ts";
export type { AcknowledgeOptions } from "./follower-report.ts";
export { type LeadCertificateOptions, leadCertificate, type ReplicaOptions } from "./leader.ts";
export type { ProveReplica } from "./leader-proofs.ts";
export type { LeaderStatus } from "./leader-status.ts";
export type { LeaderWaitReason } from "./leader-step.ts";
export { type LeaseAnnouncement, parseAnnouncement } from "./lease-announcement.ts";
export {
  candidatePermissions,
  describePermission,
  followerPermissions,
  type Permission,
} from "./permissions.ts";
export type { Replica } from "./replica.ts";
export { type ServingNames, serviceDnsNames } from "./serving-certificate.ts";
export { type WatchSecretOptions, watchSecret } from "./watch-secret.ts";
