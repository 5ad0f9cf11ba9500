export { SpiffeError, type SpiffeErrorCode } from "./error.ts";
export { createSpiffePeerTrust } from "./peer-trust.ts";
export { parseSpiffeId, parseTrustDomain, type SpiffeId, type TrustDomain } from "./spiffe-id.ts";
export { type VerifyX509SvidOptions, verifyX509Svid, type X509SvidVerdict } from "./verify-x509-svid.ts";
export { parseX509Authorities, type X509Bundles } from "./x509-bundle.ts";
export { parseX509Svid, type X509Svid } from "./x509-svid.ts";
