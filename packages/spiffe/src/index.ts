export { spiffe } from "./authorizers.ts";
export { formatSpiffeBundle, parseSpiffeBundle, type SpiffeBundle } from "./bundle.ts";
export type { BundleEndpointProfile, HttpsSpiffeProfile, HttpsWebProfile } from "./bundle-endpoint.ts";
export { SpiffeError, type SpiffeErrorCode } from "./error.ts";
export {
  type FederatedBundleSource,
  type FederationStatus,
  type WatchFederatedBundleOptions,
  watchFederatedBundle,
} from "./federation.ts";
export { formatJwtBundle, type JwtBundle, type JwtBundles, parseJwtBundle } from "./jwt-bundle.ts";
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
export { parseX509Authorities, type X509Bundles } from "./x509-bundle.ts";
export { parseX509Svid, type X509Svid } from "./x509-svid.ts";
