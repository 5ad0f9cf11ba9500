import type { AlgorithmIdentifier } from "./algorithm.ts";
import { checkDer, type DerLimits } from "./der.ts";
import type { Extension } from "./extension.ts";
import { ParsedCrl } from "./internal/parsed-crl.ts";
import type { DistinguishedName } from "./name.ts";
import { encodePem, isDer, parsePem } from "./pem.ts";
import type { AuthorityKeyIdentifier } from "./standard-extensions.ts";
import type { X509Warning } from "./warning.ts";

/** Why a certificate was revoked (RFC 5280 5.3.1). */
export type RevocationReason =
  | "unspecified"
  | "keyCompromise"
  | "cACompromise"
  | "affiliationChanged"
  | "superseded"
  | "cessationOfOperation"
  | "certificateHold"
  | "removeFromCRL"
  | "privilegeWithdrawn"
  | "aACompromise";

/** One entry of a list; `reason` is undefined when it gives none. */
export interface Revocation {
  readonly date: Date;
  readonly reason: RevocationReason | undefined;
}

/** A parsed certificate revocation list (RFC 5280 5). Nothing is verified yet. */
export interface CertificateRevocationList {
  /** Own copy of the octets; the slices below are views of it. Do not write to them. */
  readonly der: Uint8Array;
  /** Lower-case hex over `der`. */
  readonly sha256: string;
  /** What was signed. */
  readonly tbs: Uint8Array;
  readonly version: number;
  readonly issuer: DistinguishedName;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  /** Lower-case hex. */
  readonly crlNumber: string | undefined;
  readonly authorityKeyIdentifier: AuthorityKeyIdentifier | undefined;
  readonly extensions: readonly Extension[];
  /**
   * Object identifiers of critical entry extensions this package does not process (certificateIssuer of
   * indirect lists among them). A list that has any must not be relied on (RFC 5280 5.3).
   */
  readonly unknownCriticalEntryExtensions: readonly string[];
  readonly revokedCount: number;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  readonly warnings: readonly X509Warning[];
  /**
   * The entry for a serial number in hex, as `Certificate.serialNumber` has it. Leading zeros do not count, as
   * other tools do not print them. The time it takes does not depend on the size of the list.
   */
  isRevoked(serialNumber: string): Revocation | undefined;
}

/** Default bounds on one list: 64 MiB, which is about 1.7 million entries. */
export const CRL_LIMITS: DerLimits = { maxBytes: 64 * 1024 * 1024, maxDepth: 32, maxElements: 16_000_000 };

/** Parses one revocation list: strict DER, nothing after it, every entry checked, within `limits`. */
export function parseCrl(der: Uint8Array, limits: Partial<DerLimits> = {}): CertificateRevocationList {
  const bounds = { ...CRL_LIMITS, ...limits };
  checkDer(der, bounds);
  return new ParsedCrl(new Uint8Array(der));
}

/**
 * All lists of a text with X509 CRL blocks (other blocks are passed over), or the one list of DER octets. A
 * text without such blocks has none; a damaged block throws.
 */
export function parseCrls(pemOrDer: string | Uint8Array): readonly CertificateRevocationList[] {
  if (isDer(pemOrDer)) return [parseCrl(pemOrDer)];
  return parsePem(pemOrDer)
    .filter(({ label }) => label === "X509 CRL")
    .map(({ der }) => parseCrl(der));
}

/** The lists as PEM text, in order. */
export function encodeCrls(lists: readonly CertificateRevocationList[]): string {
  return lists.map(({ der }) => encodePem("X509 CRL", der)).join("");
}
