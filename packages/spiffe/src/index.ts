/**
 * SPIFFE: identities from the Workload API for everything in `@newleaf/rotation`, SVIDs parsed and verified, bundles,
 * federation, authorizers. Each trust domain's authorities speak for its own members only.
 *
 * ```ts
 * import https from "node:https";
 * import { rotateServer, serverOptions } from "@newleaf/rotation";
 * import { spiffe, watchSpiffe } from "@newleaf/spiffe";
 *
 * const identity = await watchSpiffe({ address: "unix:///run/spire/agent.sock" });
 * const server = https.createServer(serverOptions(identity), (_request, response) => response.end("hello"));
 * rotateServer(server.listen(8443), identity, { authorize: spiffe.id("spiffe://example.org/frontend") });
 * ```
 *
 * @module
 */
export { spiffe } from "./authorizers.ts";
export { formatSpiffeBundle, parseSpiffeBundle, type SpiffeBundle } from "./bundle.ts";
export type { BundleEndpointProfile, HttpsSpiffeProfile, HttpsWebProfile } from "./bundle-endpoint.ts";
export { type BundleSource, type WatchBundlesOptions, watchBundles } from "./bundle-source.ts";
export { SpiffeError, type SpiffeErrorCode } from "./error.ts";
export {
  type FederatedBundleSource,
  type FederationStatus,
  type WatchFederatedBundleOptions,
  watchFederatedBundle,
} from "./federation.ts";
export type { WorkloadApiUpdate } from "./internal/workload-stream.ts";
export { formatJwtBundle, type JwtBundle, type JwtBundles, parseJwtBundle } from "./jwt-bundle.ts";
export type { ValidatedJwtSvid } from "./jwt-messages.ts";
export { type JwtSource, type WatchJwtOptions, watchJwt } from "./jwt-source.ts";
export { JWT_SVID_ALGORITHMS, type JwtSvid, parseJwtSvid } from "./jwt-svid.ts";
export { createSpiffePeerTrust } from "./peer-trust.ts";
export { parseSpiffeId, parseTrustDomain, type SpiffeId, type TrustDomain } from "./spiffe-id.ts";
export {
  type JwtSvidFailureCode,
  type JwtSvidVerdict,
  type VerifyJwtSvidOptions,
  verifyJwtSvid,
} from "./verify-jwt-svid.ts";
export { type VerifyX509SvidOptions, verifyX509Svid, type X509SvidVerdict } from "./verify-x509-svid.ts";
export { workloadApiAddress } from "./workload-address.ts";
export {
  createWorkloadApiClient,
  type JwtSvidRequest,
  type WorkloadApiClient,
  type WorkloadApiClientOptions,
} from "./workload-api-client.ts";
export type { WorkloadApiFailure } from "./workload-failure.ts";
export type { WorkloadApiStatus } from "./workload-status.ts";
export { parseX509Authorities, type X509Bundles } from "./x509-bundle.ts";
export type { X509BundleContext, X509Context } from "./x509-context.ts";
export { type WatchSpiffeOptions, watchSpiffe, type X509Source } from "./x509-source.ts";
export { parseX509Svid, type X509Svid } from "./x509-svid.ts";
