export type SpiffeErrorCode =
  /** Not a SPIFFE ID or trust domain (SPIFFE-ID section 2). */
  | "ERR_SPIFFE_ID"
  /** Not a valid X509-SVID (X509-SVID sections 2 to 5). */
  | "ERR_SPIFFE_X509_SVID"
  /** Not a valid JWT-SVID (JWT-SVID sections 2 to 5). */
  | "ERR_SPIFFE_JWT_SVID"
  /** Not a usable bundle document (SPIFFE Trust Domain and Bundle section 4). */
  | "ERR_SPIFFE_BUNDLE"
  /** No bundle of this trust domain: its members are not trusted. */
  | "ERR_SPIFFE_NO_BUNDLE"
  /** A bundle endpoint could not be reached, or did not prove who it is. */
  | "ERR_SPIFFE_FEDERATION"
  /** The address of the Workload API is missing or not of the form that the standard demands. */
  | "ERR_SPIFFE_ADDRESS"
  /** The Workload API cannot be reached (it is tried again) or did not answer in time. */
  | "ERR_SPIFFE_UNAVAILABLE"
  /** The Workload API has no identity for this workload. */
  | "ERR_SPIFFE_PERMISSION_DENIED"
  /** The Workload API refused the call for good, or sent what cannot be used. */
  | "ERR_SPIFFE_WORKLOAD_API"
  /** No SVID matches the hint or ID that was asked for. */
  | "ERR_SPIFFE_NO_SVID"
  /** Used after it was closed. */
  | "ERR_SPIFFE_CLOSED"
  | "ERR_SPIFFE_OPTIONS";

/** What this package throws. Callers branch on `code`. Messages never hold keys or tokens. */
export class SpiffeError extends Error {
  readonly code: SpiffeErrorCode;

  constructor(code: SpiffeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SpiffeError";
    this.code = code;
  }
}
