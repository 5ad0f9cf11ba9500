import type { KeyObject } from "node:crypto";
import type { AlgorithmIdentifier } from "./algorithm.ts";
import { checkDer, type DerLimits } from "./der.ts";
import { X509Error } from "./error.ts";
import type { Extension } from "./extension.ts";
import type { GeneralName } from "./general-name.ts";
import { ParsedCertificate } from "./internal/parsed-certificate.ts";
import type { KeyUsage } from "./key-usage.ts";
import type { DistinguishedName } from "./name.ts";
import { encodePem, isDer, type PemBlock, parsePem } from "./pem.ts";
import type { AuthorityKeyIdentifier, BasicConstraints, NameConstraints } from "./standard-extensions.ts";
import type { X509Warning } from "./warning.ts";

/** A parsed certificate (RFC 5280 4.1): plain facts and the octets they come from. Nothing is verified yet. */
export interface Certificate {
  /** Own copy of the octets; the slices below are views of it. Do not write to them. */
  readonly der: Uint8Array;
  /** Lower-case hex over `der`: the identity of a certificate. */
  readonly sha256: string;
  /** What was signed. */
  readonly tbs: Uint8Array;
  readonly version: number;
  /** Lower-case hex of the octets on the wire, so a leading zero octet stays. */
  readonly serialNumber: string;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subjectPublicKeyInfo: Uint8Array;
  readonly publicKeyAlgorithm: AlgorithmIdentifier;
  /** Made on first use and kept; throws ERR_X509_KEY when node:crypto cannot use the key. */
  readonly publicKey: KeyObject;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  /** Object identifiers, see `EKU`. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Empty when the extension is absent. */
  readonly subjectAltNames: readonly GeneralName[];
  /** Lower-case hex. */
  readonly subjectKeyIdentifier: string | undefined;
  readonly authorityKeyIdentifier: AuthorityKeyIdentifier | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  /** The URIs among the distribution points. */
  readonly crlDistributionPoints: readonly string[];
  /** Deviations from the standards that real certificates have and that were tolerated. */
  readonly warnings: readonly X509Warning[];
}

/** Default bounds on one certificate; real ones stay under 3 KiB, 150 elements and depth 10. */
export const CERTIFICATE_LIMITS: DerLimits = { maxBytes: 16 * 1024, maxDepth: 32, maxElements: 2000 };

/**
 * Parses one certificate: strict DER, nothing after it, within `limits`. Damage, also inside of a standard
 * extension, throws X509Error; deviations known from real authorities become `warnings`.
 */
export function parseCertificate(der: Uint8Array, limits: Partial<DerLimits> = {}): Certificate {
  const bounds = { ...CERTIFICATE_LIMITS, ...limits };
  const elements = checkDer(der, bounds);
  // An own copy: the caller's buffer may be reused, or be one list of 45 MB that must not be kept alive.
  return new ParsedCertificate(new Uint8Array(der), {
    ...bounds,
    maxElements: bounds.maxElements - elements,
  });
}

/**
 * All certificates of a text with CERTIFICATE blocks (blocks of other kinds are passed over), or the one of DER
 * octets. A text without such blocks has none; a damaged block throws, so that none is lost silently.
 */
export function parseCertificates(pemOrDer: string | Uint8Array): readonly Certificate[] {
  if (isDer(pemOrDer)) return [parseCertificate(pemOrDer)];
  return parsePem(pemOrDer)
    .filter(isCertificate)
    .map(({ der }) => parseCertificate(der));
}

/** The certificates as PEM text, in order. */
export function encodeCertificates(certificates: readonly Certificate[]): string {
  return certificates.map(({ der }) => encodePem("CERTIFICATE", der)).join("");
}

/** "X509 CERTIFICATE" is the older label (RFC 7468 5.1). */
function isCertificate({ label, offset }: PemBlock): boolean {
  if (label === "TRUSTED CERTIFICATE") {
    throw new X509Error("ERR_X509_PEM", "OpenSSL's TRUSTED CERTIFICATE form cannot be read", { offset });
  }
  return label === "CERTIFICATE" || label === "X509 CERTIFICATE";
}
