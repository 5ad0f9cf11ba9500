/**
 * Kubernetes for Node.js: configuration, typed requests over one keep-alive agent, informers that survive what
 * networks do, and leader election with fencing. Knows no certificates beyond those of its own connection.
 *
 * @module
 */
export { createKubeClient, type KubeClient, type KubeClientOptions, type RawRequest } from "./client.ts";
export { type Clock, systemClock } from "./clock.ts";
export { KubeError, type KubeErrorCode } from "./error.ts";
export { type KubeList, type KubeObject, objectKey, type ResourceType } from "./kube-object.ts";
export { electLeader, type LeaderElectionOptions, type Leadership } from "./leader-election.ts";
export { type Logger, silentLogger } from "./logger.ts";
export type {
  ApplyOptions,
  DeleteOptions,
  JsonPatch,
  JsonPatchOperation,
  ListerWatcher,
  ListOptions,
  Patch,
  RequestOptions,
  ResourceClient,
  WatchOptions,
  WriteOptions,
} from "./resource-client.ts";
export { type ApiService, defineResource, resources } from "./resources.ts";
export {
  type Answer,
  type StatusDetails,
  type StatusFailure,
  type StatusReason,
  valueOrThrow,
} from "./status.ts";
export type { KubeRequest, KubeResponse, KubeTransport } from "./transport.ts";
export type { WatchEvent, WatchStream } from "./watch-event.ts";
