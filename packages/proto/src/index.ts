/**
 * Wire formats, generated from `proto/` by `npm run generate`: the SPIFFE Workload API and the part of Envoy's API
 * that secret discovery uses. Nothing here is written by hand but the bridge to gRPC.
 *
 * ```ts
 * import { grpcService, SpiffeWorkloadAPI } from "@newleaf/proto";
 *
 * server.addService(grpcService(SpiffeWorkloadAPI), { FetchX509SVID: (call) => call.write(response) });
 * ```
 *
 * @module
 */
export * from "./gen/envoy/config/core/v3/base_pb.ts";
export * from "./gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
export {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
  type Resource,
  ResourceSchema,
} from "./gen/envoy/service/discovery/v3/discovery_pb.ts";
export { SecretDiscoveryService } from "./gen/envoy/service/secret/v3/sds_pb.ts";
export { type StringMatcher, StringMatcherSchema } from "./gen/envoy/type/matcher/v3/string_pb.ts";
export { type Status, StatusSchema } from "./gen/google/rpc/status_pb.ts";
export * from "./gen/spiffe/workload_pb.ts";
export { grpcMethod, grpcService } from "./grpc-service.ts";
