import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import type { AlgorithmIdentifier } from "../algorithm.ts";
import type { CertificateRevocationList, Revocation } from "../crl.ts";
import { contextTag, type DerElement, TAG } from "../der.ts";
import { readTime } from "../der-time.ts";
import { readIntegerHex, readSmallInteger } from "../der-values.ts";
import { X509Error } from "../error.ts";
import { decodeExtensions, EXTENSION, type Extension, type RawExtension } from "../extension.ts";
import { type DistinguishedName, decodeName } from "../name.ts";
import { checkSameAlgorithm, decodeSigned } from "../signed.ts";
import { type AuthorityKeyIdentifier, decodeAuthorityKeyIdentifier } from "../standard-extensions.ts";
import { collectWarnings, type Warn, type X509Warning } from "../warning.ts";
import { readCrlEntries, revocationAt } from "./crl-entry.ts";
import { createSerialIndex, type SerialIndex } from "./serial-index.ts";

/** Facts and entries are checked at once, so that damage shows; hash and index are made on first use. */
export class ParsedCrl implements CertificateRevocationList {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly version: number;
  readonly issuer: DistinguishedName;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly crlNumber: string | undefined;
  readonly authorityKeyIdentifier: AuthorityKeyIdentifier | undefined;
  readonly extensions: readonly Extension[];
  readonly unknownCriticalEntryExtensions: readonly string[];
  readonly revokedCount: number;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  readonly warnings: readonly X509Warning[];
  readonly #entryOffsets: Uint32Array;
  #sha256: string | undefined;
  #index: SerialIndex | undefined;

  constructor(der: Uint8Array) {
    const { warnings, warn } = collectWarnings();
    const signed = decodeSigned(der, "revocation list");
    const fields = signed.tbs.children();
    this.der = der;
    this.tbs = signed.tbs.raw;
    this.signatureAlgorithm = signed.signatureAlgorithm;
    this.signature = signed.signature;
    this.warnings = warnings;

    this.version = decodeVersion(fields.takeOptional(TAG.INTEGER));
    const algorithm = fields.take(TAG.SEQUENCE, "signature algorithm");
    checkSameAlgorithm(algorithm, signed, "ERR_X509_CRL", warn);
    this.issuer = decodeName(fields.take(TAG.SEQUENCE, "issuer"), warn);
    this.thisUpdate = readTime(fields, "thisUpdate", warn);
    this.nextUpdate = isTime(fields.peek()) ? readTime(fields, "nextUpdate", warn) : undefined;
    const entries = readCrlEntries(fields.takeOptional(TAG.SEQUENCE), this.version, warn);
    this.#entryOffsets = entries.offsets;
    this.revokedCount = entries.offsets.length;
    this.unknownCriticalEntryExtensions = entries.unknownCritical;
    const extensions = decodeWrappedExtensions(fields.takeOptional(contextTag(0)), this.version, warn);
    fields.finish("revocation list fields");

    this.extensions = extensions.map(({ extension }) => extension);
    const numbered = find(extensions, EXTENSION.crlNumber)?.children();
    this.crlNumber = numbered && readIntegerHex(numbered.take(TAG.INTEGER, "CRL number"));
    numbered?.finish("CRL number");
    const authority = find(extensions, EXTENSION.authorityKeyIdentifier);
    this.authorityKeyIdentifier = authority && decodeAuthorityKeyIdentifier(authority, warn);
  }

  get sha256(): string {
    this.#sha256 ??= hash("sha256", this.der, "hex");
    return this.#sha256;
  }

  isRevoked(serialNumber: string): Revocation | undefined {
    const digits = serialNumber.replace(/^0+(?=.)/, "");
    if (!/^[0-9a-f]+$/i.test(digits)) {
      throw new X509Error("ERR_X509_CRL", "serial number to look up is not hex");
    }
    this.#index ??= createSerialIndex(this.der, this.#entryOffsets);
    const offset = this.#index.find(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex"));
    return offset === undefined ? undefined : revocationAt(this.der, offset);
  }
}

/** Version 2 is written as 1; version 1 is never written (RFC 5280 5.1.2.1). */
function decodeVersion(element: DerElement | undefined): number {
  if (element === undefined) return 1;
  if (readSmallInteger(element, 127, "version") !== 1) {
    throw new X509Error("ERR_X509_CRL", "revocation list is not of version 2", { offset: element.start });
  }
  return 2;
}

function isTime(tag: number | undefined): boolean {
  return tag === TAG.UTC_TIME || tag === TAG.GENERALIZED_TIME;
}

function decodeWrappedExtensions(
  wrapped: DerElement | undefined,
  version: number,
  warn: Warn,
): RawExtension[] {
  if (wrapped === undefined) return [];
  if (version !== 2) warn("extensions_before_version", `a version ${version} revocation list has extensions`);
  const list = wrapped.children();
  const extensions = list.take(TAG.SEQUENCE, "extensions");
  list.finish("extensions");
  return decodeExtensions(extensions.children(), "ERR_X509_CRL", warn);
}

function find(extensions: readonly RawExtension[], oid: string): DerElement | undefined {
  return extensions.find(({ extension }) => extension.oid === oid)?.element;
}
