import { hash, type KeyObject } from "node:crypto";
import type { AlgorithmIdentifier } from "../algorithm.ts";
import type { Certificate } from "../certificate.ts";
import { contextTag, type DerCursor, type DerElement, type DerLimits, TAG } from "../der.ts";
import { readTime } from "../der-time.ts";
import { readIntegerHex, readSmallInteger } from "../der-values.ts";
import { X509Error } from "../error.ts";
import { decodeExtensions, type Extension, type RawExtension } from "../extension.ts";
import type { GeneralName } from "../general-name.ts";
import { importPublicKey } from "../key.ts";
import type { KeyUsage } from "../key-usage.ts";
import { type DistinguishedName, decodeName } from "../name.ts";
import { checkSameAlgorithm, decodeSigned } from "../signed.ts";
import {
  type AuthorityKeyIdentifier,
  type BasicConstraints,
  decodeStandardExtensions,
  type NameConstraints,
} from "../standard-extensions.ts";
import { collectWarnings, type Warn, type X509Warning } from "../warning.ts";
import { warnOfAlgorithm, warnOfPublicKey, warnOfSerialNumber } from "./certificate-warnings.ts";
import { decodePublicKeyAlgorithm } from "./public-key-info.ts";

/** The facts are decoded at once, so that damage shows; hash and key object, which cost more, on first use. */
export class ParsedCertificate implements Certificate {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly version: number;
  readonly serialNumber: string;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly subjectPublicKeyInfo: Uint8Array;
  readonly publicKeyAlgorithm: AlgorithmIdentifier;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectAltNames: readonly GeneralName[];
  readonly subjectKeyIdentifier: string | undefined;
  readonly authorityKeyIdentifier: AuthorityKeyIdentifier | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  readonly crlDistributionPoints: readonly string[];
  readonly warnings: readonly X509Warning[];
  #sha256: string | undefined;
  #publicKey: KeyObject | undefined;

  constructor(der: Uint8Array, limits: DerLimits) {
    const { warnings, warn } = collectWarnings();
    const signed = decodeSigned(der, "certificate");
    const fields = signed.tbs.children();
    this.der = der;
    this.tbs = signed.tbs.raw;
    this.signatureAlgorithm = signed.signatureAlgorithm;
    this.signature = signed.signature;
    this.warnings = warnings;

    this.version = decodeVersion(fields.takeOptional(contextTag(0)), warn);
    this.serialNumber = readIntegerHex(fields.take(TAG.INTEGER, "serial number"));
    const algorithm = fields.take(TAG.SEQUENCE, "signature algorithm");
    checkSameAlgorithm(algorithm, signed, "ERR_X509_CERTIFICATE", warn);
    const issuer = fields.take(TAG.SEQUENCE, "issuer");
    this.issuer = decodeName(issuer, warn);
    const validity = fields.take(TAG.SEQUENCE, "validity").children();
    this.notBefore = readTime(validity, "notBefore", warn);
    this.notAfter = readTime(validity, "notAfter", warn);
    validity.finish("validity");
    const subject = fields.take(TAG.SEQUENCE, "subject");
    this.subject = sameOctets(issuer, subject) ? this.issuer : decodeName(subject, warn);
    const key = fields.take(TAG.SEQUENCE, "public key");
    this.subjectPublicKeyInfo = key.raw;
    this.publicKeyAlgorithm = decodePublicKeyAlgorithm(key);
    skipUniqueIdentifiers(fields, warn);
    const extensions = decodeWrappedExtensions(fields, this.version, warn);
    fields.finish("certificate fields");

    this.extensions = extensions.map(({ extension }) => extension);
    const known = decodeStandardExtensions(extensions, limits, warn);
    this.basicConstraints = known.basicConstraints;
    this.keyUsage = known.keyUsage;
    this.extendedKeyUsage = known.extendedKeyUsage;
    this.subjectAltNames = known.subjectAltNames;
    this.subjectKeyIdentifier = known.subjectKeyIdentifier;
    this.authorityKeyIdentifier = known.authorityKeyIdentifier;
    this.nameConstraints = known.nameConstraints;
    this.crlDistributionPoints = known.crlDistributionPoints;
    warnOfSerialNumber(this.serialNumber, warn);
    warnOfAlgorithm(this.signatureAlgorithm, warn);
    warnOfPublicKey(this.publicKeyAlgorithm, warn);
  }

  get sha256(): string {
    this.#sha256 ??= hash("sha256", this.der, "hex");
    return this.#sha256;
  }

  get publicKey(): KeyObject {
    this.#publicKey ??= importPublicKey(this.subjectPublicKeyInfo);
    return this.#publicKey;
  }
}

/** Roots have the same name twice: decoding it once saves a seventh of their time. */
function sameOctets(a: DerElement, b: DerElement): boolean {
  return a.bytes.compare(b.bytes, b.start, b.end, a.start, a.end) === 0;
}

/** Version is 0, 1 or 2 for v1 to v3, and v1 is the default (RFC 5280 4.1.2.1). */
function decodeVersion(wrapped: DerElement | undefined, warn: Warn): number {
  if (wrapped === undefined) return 1;
  const fields = wrapped.children();
  const version = readSmallInteger(fields.take(TAG.INTEGER, "version"), 2, "version") + 1;
  fields.finish("version");
  if (version === 1) warn("default_encoded", "version v1 is written although it is the default");
  return version;
}

function skipUniqueIdentifiers(fields: DerCursor, warn: Warn): void {
  const issuer = fields.takeOptional(contextTag(1, "primitive"));
  const subject = fields.takeOptional(contextTag(2, "primitive"));
  if (issuer !== undefined || subject !== undefined) {
    warn("unique_identifier", "unique identifiers are present; they are ignored");
  }
}

function decodeWrappedExtensions(fields: DerCursor, version: number, warn: Warn): RawExtension[] {
  const wrapped = fields.takeOptional(contextTag(3));
  if (wrapped === undefined) return [];
  if (version !== 3) warn("extensions_before_version", `a version ${version} certificate has extensions`);
  const list = wrapped.children();
  const extensions = list.take(TAG.SEQUENCE, "extensions");
  list.finish("extensions");
  if (extensions.length === 0) {
    throw new X509Error("ERR_X509_CERTIFICATE", "extensions are empty", { offset: extensions.start });
  }
  return decodeExtensions(extensions.children(), "ERR_X509_CERTIFICATE", warn);
}
