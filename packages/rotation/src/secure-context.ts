import { randomBytes } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import {
  type Certificate,
  type CertificateRevocationList,
  encodeCertificates,
  encodePem,
  namesEqual,
} from "@newleaf/x509";
import type { Generation } from "./generation.ts";

/** A ticket older than this is a full handshake again; OpenSSL's own default would be two hours. */
export const LONGEST_SESSION_SECONDS = 300;

/** The TLS context of one generation. Throws what OpenSSL says of material that it cannot use. */
export function createGenerationContext(generation: Generation): SecureContext {
  return createSecureContext(secureContextOptions(generation));
}

/**
 * The full option set of a generation, for `createSecureContext` and `setSecureContext` alike: what
 * `setSecureContext` is not given it resets to defaults that trust everyone's roots. Holds the private key as PEM.
 *
 * Curves and signature algorithms stay at TLS 1.3's own (RFC 8446 section 9.1): PostgreSQL for one insists on P-256.
 */
export function secureContextOptions(generation: Generation): SecureContextOptions {
  return { ...identityOptions(generation), ...peerAnchorOptions(generation) };
}

/** The part of the set that says whom a generation trusts. */
export function peerAnchorOptions({ trust, peerTrust, crls }: Generation): SecureContextOptions {
  return anchorOptions((peerTrust ?? trust).certificates, peerTrust?.crls ?? crls);
}

/**
 * Every certificate of the bundle is an anchor, as in our own path validation, also one that another CA issued.
 * Revocation lists are passed as a second line behind that validation; OpenSSL wants one for such an anchor from
 * the CA above it, which nobody has, so they are left out then.
 */
export function anchorOptions(
  certificates: readonly Certificate[],
  crls: readonly CertificateRevocationList[],
): SecureContextOptions {
  return {
    // One entry each: Node reads only as far as the first damaged block of a joined text, without a word.
    ca: certificates.map((certificate) => encodeCertificates([certificate])),
    allowPartialTrustChain: true,
    ...(crls.length > 0 &&
      certificates.every(isSelfIssued) && { crl: crls.map((crl) => encodePem("X509 CRL", crl.der)) }),
  };
}

/** The part of the set that says who one is. Without `ca`, which must not be left out, it trusts everyone's roots. */
export function identityOptions(generation: Generation): SecureContextOptions {
  const { leaf, chain, key } = generation;
  return {
    cert: encodeCertificates([leaf, ...chain]),
    key: key.export({ format: "pem", type: "pkcs8" }),
    minVersion: "TLSv1.3",
    // At most 32 octets (SSL_MAX_SID_CTX_LENGTH). Without one every resumption fails with "internal error".
    sessionIdContext: `newleaf-${generation.number}-${generation.contentSha256.slice(0, 12)}`.slice(0, 32),
    sessionTimeout: sessionSeconds(generation),
    ticketKeys: randomBytes(48),
  };
}

function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return namesEqual(subject, issuer);
}

function sessionSeconds({ notAfter, verifiedAt }: Generation): number {
  const left = Math.floor((notAfter.getTime() - verifiedAt.getTime()) / 1000);
  return Math.max(1, Math.min(LONGEST_SESSION_SECONDS, left));
}
