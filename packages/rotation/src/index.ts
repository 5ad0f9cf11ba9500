/**
 * Certificate rotation for TLS servers and clients, with proof: an identity source yields generations, consumers
 * take them over without losing a request, and real handshakes show what is served.
 *
 * ```ts
 * import https from "node:https";
 * import { allow, rotateServer, serverOptions, watchFiles } from "@newleaf/rotation";
 *
 * const identity = await watchFiles({ directory: "/etc/tls" });
 * const server = https.createServer(serverOptions(identity), (_request, response) => response.end("hello"));
 * const rotation = rotateServer(server.listen(8443), identity, { authorize: allow.dns("frontend.shop.svc") });
 * for await (const record of rotation.records()) console.log(record.generation, record.outcome);
 * ```
 *
 * @module
 */
export { createRotatingAgent, type RotatingAgent, type RotatingAgentOptions } from "./agent.ts";
export { allow } from "./authorize.ts";
export type { Clock, Timer } from "./clock.ts";
export { systemClock } from "./clock.ts";
export type { Consumer, DrainReport } from "./consumer.ts";
export type { DrainOptions } from "./drain.ts";
export { RotationError, type RotationErrorCode } from "./error.ts";
export { type WatchFilesLocation, type WatchFilesOptions, watchFiles } from "./file-source.ts";
export {
  type Announcements,
  checkMaterial,
  type GateOptions,
  type GatePass,
  type GateRefusal,
  type GateResult,
} from "./gate.ts";
export type { CheckedIdentity, Generation } from "./generation.ts";
export { createHookConsumer, type HookConsumerOptions } from "./hook-consumer.ts";
export {
  connectRotatingHttp2,
  type Http2RequestOptions,
  type Http2Response,
  type RotatingHttp2Client,
  type RotatingHttp2Options,
} from "./http2-client.ts";
export {
  createIdentityHolder,
  type HolderOptions,
  type IdentityHolder,
  type OfferResult,
} from "./identity-holder.ts";
export type { IdentityMaterial, MaterialNames } from "./identity-material.ts";
export type { IdentitySource, Refusal, RefusalCode, SourceStatus } from "./identity-source.ts";
export type { ServerTrustOptions } from "./internal/client-tls.ts";
export type { Logger } from "./logger.ts";
export {
  createPeerGuard,
  type GuardTrust,
  type GuardVerdict,
  type PeerGuard,
  type PresentedPeer,
} from "./peer-guard.ts";
export type { PeerTrust, PeerTrustObjection } from "./peer-trust.ts";
export { createSignalConsumer, type SignalConsumerOptions, signalProcess } from "./process-consumer.ts";
export type { RejectedPeer, Rejection, RejectionCode } from "./rejection.ts";
export {
  type RolloverOptions,
  type RolloverParticipant,
  type RolloverParticipantReport,
  type RolloverPlan,
  type RolloverRecord,
  type RolloverResume,
  type RolloverStep,
  rollTrust,
} from "./rollover.ts";
export { createRolloverParticipant } from "./rollover-participant.ts";
export {
  type Rotation,
  type RotationMatch,
  type RotationOptions,
  type RotationStatus,
  startRotation,
} from "./rotation.ts";
export {
  type ConsumerReport,
  type ConsumerReportJson,
  describeRecord,
  describeServed,
  type GenerationFacts,
  type RotationOutcome,
  type RotationReason,
  type RotationRecord,
  type RotationRecordJson,
  type ServedFacts,
  type ServedFactsJson,
  type ServedReportJson,
  type Stage,
} from "./rotation-record.ts";
export { secureContextOptions } from "./secure-context.ts";
export {
  isProved,
  type ProveServedOptions,
  parseTarget,
  proveServed,
  resolveTarget,
  type ServedReport,
  type ServedTarget,
  type ServedVerdict,
  type VerifyServedOptions,
  verifyServed,
} from "./served.ts";
export {
  createServerConsumer,
  rotateServer,
  type ServerConsumer,
  type ServerConsumerOptions,
  type ServerRotation,
  type ServerStats,
} from "./server-consumer.ts";
export { HANDSHAKE_TIMEOUT_MS, type ServerTlsOptions, serverOptions } from "./server-options.ts";
export { type Authorizer, peerOf, type VerifiedPeer } from "./verified-peer.ts";
export { webRoots } from "./web-roots.ts";
export { type PeerAnchors, type PeerTrustSource, withPeerTrust } from "./with-peer-trust.ts";
