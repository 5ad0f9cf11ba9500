export { SpiffeError, type SpiffeErrorCode } from "./error.ts";
export { parseSpiffeId, parseTrustDomain, type SpiffeId, type TrustDomain } from "./spiffe-id.ts";
