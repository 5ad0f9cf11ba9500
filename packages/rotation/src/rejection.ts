import { type Certificate, formatName, type PathFailureCode } from "@newleaf/x509";

/**
 * Why a connection was refused or ended. Path failures (`unknown_authority`, `expired`, `revoked`, …) are those of
 * `validatePath`; the rest:
 * - `no_certificate`: TLS is in order, but the client has no certificate
 * - `bad_certificate`: it has one that cannot be read
 * - `not_svid`: verified by SPIFFE, and its certificate is no X509-SVID
 * - `identity_withdrawn`: our own identity was taken away, so nobody is let in
 * - `not_allowed`: it is who it says, and the authorizer says no
 * - `unsupported_protocol`: TLS 1.2 or older
 * - `plain_http`, `not_tls`: no TLS at all
 * - `handshake_timeout`: not finished in time
 * - `handshake_failed`: anything else that TLS found wrong, in OpenSSL's words
 * - `peer_expired`, `trust_removed`: the certificate expired, or lost its authority, while the connection was open
 * - `not_admitted`: a request on a connection from before the rotation was attached
 */
export type RejectionCode =
  | PathFailureCode
  | "no_certificate"
  | "bad_certificate"
  | "not_svid"
  | "identity_withdrawn"
  | "not_allowed"
  | "unsupported_protocol"
  | "plain_http"
  | "not_tls"
  | "handshake_timeout"
  | "handshake_failed"
  | "peer_expired"
  | "trust_removed"
  | "not_admitted";

/** One connection that was not let in, or not let go on, as it is logged. */
export interface Rejection {
  readonly code: RejectionCode;
  /** One sentence for people. */
  readonly message: string;
  readonly address: string;
  readonly at: Date;
  readonly resumed: boolean;
  /** `established`: it had been let in before. */
  readonly phase: "handshake" | "established";
  /** Where the protocol showed it. */
  readonly peer?: RejectedPeer;
}

export interface RejectedPeer {
  /** RFC 4514. */
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  readonly notAfter: Date;
  readonly sha256: string;
}

/** What of a certificate goes into a rejection. */
export function rejectedPeer(leaf: Certificate): RejectedPeer {
  return {
    subject: formatName(leaf.subject),
    issuer: formatName(leaf.issuer),
    serialNumber: leaf.serialNumber,
    notAfter: leaf.notAfter,
    sha256: leaf.sha256,
  };
}
