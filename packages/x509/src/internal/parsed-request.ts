import type { KeyObject } from "node:crypto";
import type { AlgorithmIdentifier } from "../algorithm.ts";
import type { CertificateRequest } from "../csr.ts";
import { contextTag, type DerCursor, type DerElement, type DerLimits, TAG } from "../der.ts";
import { readOid, readSmallInteger } from "../der-values.ts";
import { X509Error } from "../error.ts";
import { decodeExtensions, type Extension, type RawExtension } from "../extension.ts";
import type { GeneralName } from "../general-name.ts";
import { importPublicKey } from "../key.ts";
import type { KeyUsage } from "../key-usage.ts";
import { type DistinguishedName, decodeName } from "../name.ts";
import { decodeSigned } from "../signed.ts";
import { type BasicConstraints, decodeStandardExtensions } from "../standard-extensions.ts";
import { collectWarnings, type Warn, type X509Warning } from "../warning.ts";
import { decodePublicKeyAlgorithm } from "./public-key-info.ts";

/** A request, decoded at once so that damage shows; the key object is made on first use. */
export class ParsedRequest implements CertificateRequest {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  readonly subject: DistinguishedName;
  readonly subjectPublicKeyInfo: Uint8Array;
  readonly publicKeyAlgorithm: AlgorithmIdentifier;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectAltNames: readonly GeneralName[];
  readonly warnings: readonly X509Warning[];
  #publicKey: KeyObject | undefined;

  constructor(der: Uint8Array, limits: DerLimits) {
    const { warnings, warn } = collectWarnings();
    const signed = decodeSigned(der, "certificate request");
    const fields = signed.tbs.children();
    this.der = der;
    this.tbs = signed.tbs.raw;
    this.signatureAlgorithm = signed.signatureAlgorithm;
    this.signature = signed.signature;
    this.warnings = warnings;

    readSmallInteger(fields.take(TAG.INTEGER, "version"), 0, "version");
    this.subject = decodeName(fields.take(TAG.SEQUENCE, "subject"), warn);
    const key = fields.take(TAG.SEQUENCE, "public key");
    this.subjectPublicKeyInfo = key.raw;
    this.publicKeyAlgorithm = decodePublicKeyAlgorithm(key);
    // The attributes are not optional in RFC 2986, but there are writers that leave out an empty set.
    const attributes = fields.takeOptional(contextTag(0))?.children();
    fields.finish("certificate request fields");

    const extensions = attributes === undefined ? [] : requestedExtensions(attributes, warn);
    this.extensions = extensions.map(({ extension }) => extension);
    const known = decodeStandardExtensions(extensions, limits, warn);
    this.basicConstraints = known.basicConstraints;
    this.keyUsage = known.keyUsage;
    this.extendedKeyUsage = known.extendedKeyUsage;
    this.subjectAltNames = known.subjectAltNames;
  }

  get publicKey(): KeyObject {
    this.#publicKey ??= importPublicKey(this.subjectPublicKeyInfo);
    return this.#publicKey;
  }
}

/** extensionRequest (RFC 2985 5.4.2). */
export const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";

function requestedExtensions(attributes: DerCursor, warn: Warn): RawExtension[] {
  let requested: DerElement | undefined;
  while (!attributes.done) {
    const fields = attributes.take(TAG.SEQUENCE, "request attribute").children();
    const oid = readOid(fields.take(TAG.OID, "attribute type"));
    const values = fields.take(TAG.SET, "attribute values");
    fields.finish("request attribute");
    if (oid !== EXTENSION_REQUEST) continue;
    if (requested !== undefined) throw new X509Error("ERR_X509_CSR", "extensions are requested twice");
    const only = values.children();
    requested = only.take(TAG.SEQUENCE, "requested extensions");
    only.finish("requested extensions");
  }
  return requested === undefined ? [] : decodeExtensions(requested.children(), "ERR_X509_CSR", warn);
}
