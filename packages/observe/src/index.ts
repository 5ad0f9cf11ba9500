/**
 * What programs share: where their identity comes from and what is missing while there is none yet; who is let in; and
 * what a rotation shows of itself: log lines, metrics, a readiness check, and the `/rotations` document.
 *
 * ```ts
 * await using daemon = await startDaemon(context, { health, metrics });
 * await using identity = await openIdentity(health, (onRefusal) => watchIdentity(certs, { onRefusal }));
 * await using rotation = rotateServer(server, identity, { authorize });
 * await using observation = observeRotation({ rotation, source: identity, metrics, health });
 * await daemon.run({ routes: observation.routes, tasks });
 * ```
 * @module
 */
export {
  type AllowConfig,
  allowOptions,
  authorizerOf,
  dnsNames,
  requiredAuthorizer,
  uriNames,
} from "./allow-options.ts";
export { checkIdentity } from "./identity-check.ts";
export { logRecord, stageTimes } from "./log-record.ts";
export {
  type ConnectionsByGeneration,
  type Observation,
  type ObserveOptions,
  observeRotation,
} from "./observe-rotation.ts";
export { openIdentity } from "./open-identity.ts";
export {
  identityLocationHelp,
  isWorkloadApi,
  type WatchIdentityOptions,
  watchIdentity,
} from "./watch-identity.ts";
