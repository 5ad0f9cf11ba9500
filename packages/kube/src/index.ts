/**
 * Kubernetes for Node.js: configuration, typed requests over one keep-alive agent, informers that survive what
 * networks do, and leader election with fencing. Knows no certificates beyond those of its own connection.
 *
 * @module
 */
export type { Lease } from "kubernetes-types/coordination/v1.js";
export type { Pod, Secret } from "kubernetes-types/core/v1.js";
export { type Backoff, type BackoffOptions, createBackoff } from "./backoff.ts";
export { createKubeClient, type KubeClient, type KubeClientOptions, type RawRequest } from "./client.ts";
export { type Clock, systemClock } from "./clock.ts";
export { type ConnectedKube, type ConnectKubeOptions, connectKube } from "./connect.ts";
export { KubeError, type KubeErrorCode } from "./error.ts";
export { type InClusterOptions, inClusterConfig } from "./in-cluster.ts";
export type { IndexFunction } from "./indexer.ts";
export {
  type HandlerRegistration,
  type Informer,
  type InformerHandler,
  type InformerOptions,
  type InformerStats,
  startInformer,
} from "./informer.ts";
export type { ExecPlugin, Impersonation, KubeConfig, KubeTls, KubeUser, Pem } from "./kube-config.ts";
export { type KubeList, type KubeObject, objectKey, type ResourceType } from "./kube-object.ts";
export { createKubeTransport, type KubeTransportOptions } from "./kube-transport.ts";
export { type Environment, type KubeconfigOptions, loadKubeconfig } from "./kubeconfig.ts";
export { electLeader, type LeaderElectionOptions, type Leadership } from "./leader-election.ts";
export { type Logger, silentLogger } from "./logger.ts";
export {
  createReflector,
  type Freshness,
  type Reflector,
  type ReflectorOptions,
  type ReflectorStats,
  type ReflectorStore,
} from "./reflector.ts";
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
  ResourceReader,
  WatchOptions,
  WriteOptions,
} from "./resource-client.ts";
export { compareResourceVersions } from "./resource-version.ts";
export { type ApiService, defineResource, resources } from "./resources.ts";
export { type FieldSelection, type Selected, type SelectedResource, selectFields } from "./select-fields.ts";
export {
  type Answer,
  type StatusDetails,
  type StatusFailure,
  type StatusReason,
  valueOrThrow,
} from "./status.ts";
export type { TlsMaterial, TlsMaterialSource } from "./tls-material.ts";
export { dropBookkeeping } from "./transform.ts";
export type { KubeRequest, KubeResponse, KubeTransport } from "./transport.ts";
export type { WatchEvent, WatchStream } from "./watch-event.ts";
