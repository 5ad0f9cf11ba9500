/**
 * What a rotation shows of itself: log lines, metrics, a readiness check, and the `/rotations` document.
 *
 * ```ts
 * await using rotation = rotateServer(server, identity, { authorize });
 * await using observation = observeRotation({ rotation, source: identity, metrics, health });
 * await runDaemon(context, { health, metrics, routes: observation.routes, tasks });
 * ```
 * @module
 */
export { checkIdentity } from "./identity-check.ts";
export { logRecord, stageTimes } from "./log-record.ts";
export {
  type ConnectionsByGeneration,
  type Observation,
  type ObserveOptions,
  observeRotation,
} from "./observe-rotation.ts";
