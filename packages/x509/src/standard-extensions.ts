import { checkDer, contextTag, type DerCursor, type DerElement, type DerLimits, TAG } from "./der.ts";
import { readBoolean, readIntegerHex, readSmallInteger } from "./der-values.ts";
import { X509Error } from "./error.ts";
import { EXTENSION, type RawExtension } from "./extension.ts";
import {
  decodeGeneralNames,
  decodeGeneralSubtrees,
  type GeneralName,
  type GeneralSubtree,
} from "./general-name.ts";
import { decodeExtendedKeyUsage, decodeKeyUsage, type KeyUsage } from "./key-usage.ts";
import type { Warn } from "./warning.ts";

/** Who may issue below this certificate (RFC 5280 4.2.1.9). */
export interface BasicConstraints {
  readonly cA: boolean;
  readonly pathLength: number | undefined;
}

/** Which key signed this certificate (RFC 5280 4.2.1.1); hex, as far as it says. */
export interface AuthorityKeyIdentifier {
  readonly keyIdentifier: string | undefined;
  readonly issuer: readonly GeneralName[] | undefined;
  readonly serialNumber: string | undefined;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralSubtree[];
  readonly excluded: readonly GeneralSubtree[];
}

/** The standard extensions this package understands; undefined or empty when absent. */
export interface StandardExtensions {
  basicConstraints: BasicConstraints | undefined;
  keyUsage: ReadonlySet<KeyUsage> | undefined;
  extendedKeyUsage: readonly string[] | undefined;
  subjectAltNames: readonly GeneralName[];
  subjectKeyIdentifier: string | undefined;
  authorityKeyIdentifier: AuthorityKeyIdentifier | undefined;
  nameConstraints: NameConstraints | undefined;
  crlDistributionPoints: readonly string[];
}

/** Decodes every extension this package understands; a damaged one throws, an unknown one is left alone. */
export function decodeStandardExtensions(
  extensions: readonly RawExtension[],
  limits: DerLimits,
  warn: Warn,
): StandardExtensions {
  const known: StandardExtensions = {
    basicConstraints: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    subjectAltNames: [],
    subjectKeyIdentifier: undefined,
    authorityKeyIdentifier: undefined,
    nameConstraints: undefined,
    crlDistributionPoints: [],
  };
  const left = { ...limits };
  for (const { extension, element } of extensions) {
    if (!STANDARD.has(extension.oid)) continue;
    if (extension.oid !== EXTENSION.subjectKeyIdentifier) {
      left.maxElements -= checkDer(element.bytes, left, element.contentStart, element.end);
    }
    decodeOne(known, extension.oid, element, warn);
  }
  return known;
}

const STANDARD: ReadonlySet<string> = new Set([
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extendedKeyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.subjectKeyIdentifier,
  EXTENSION.authorityKeyIdentifier,
  EXTENSION.nameConstraints,
  EXTENSION.crlDistributionPoints,
]);

function decodeOne(known: StandardExtensions, oid: string, element: DerElement, warn: Warn): void {
  switch (oid) {
    case EXTENSION.basicConstraints:
      known.basicConstraints = decodeBasicConstraints(only(element, TAG.SEQUENCE, "basic constraints"), warn);
      return;
    case EXTENSION.keyUsage:
      known.keyUsage = decodeKeyUsage(only(element, TAG.BIT_STRING, "key usage"), warn);
      return;
    case EXTENSION.extendedKeyUsage:
      known.extendedKeyUsage = decodeExtendedKeyUsage(only(element, TAG.SEQUENCE, "extended key usage"));
      return;
    case EXTENSION.subjectAltName:
      known.subjectAltNames = decodeAltNames(only(element, TAG.SEQUENCE, "subject alternative name"), warn);
      return;
    case EXTENSION.subjectKeyIdentifier:
      known.subjectKeyIdentifier = decodeSubjectKeyIdentifier(element, warn);
      return;
    case EXTENSION.authorityKeyIdentifier:
      known.authorityKeyIdentifier = decodeAuthorityKeyIdentifier(element, warn);
      return;
    case EXTENSION.nameConstraints:
      known.nameConstraints = decodeNameConstraints(only(element, TAG.SEQUENCE, "name constraints"), warn);
      return;
    case EXTENSION.crlDistributionPoints:
      known.crlDistributionPoints = decodeDistributionPoints(
        only(element, TAG.SEQUENCE, "CRL distribution points"),
        warn,
      );
  }
}

/** The one element an extension value holds. */
function only(value: DerElement, tag: number, what: string): DerElement {
  const cursor = value.children();
  const element = cursor.take(tag, what);
  cursor.finish(what);
  return element;
}

const MAX_PATH_LENGTH = 1000;

function decodeBasicConstraints(element: DerElement, warn: Warn): BasicConstraints {
  const fields = element.children();
  const flag = fields.takeOptional(TAG.BOOLEAN);
  const cA = flag !== undefined && readBoolean(flag, warn);
  if (flag !== undefined && !cA) warn("default_encoded", "cA FALSE is written although it is the default");
  const length = fields.takeOptional(TAG.INTEGER);
  fields.finish("basic constraints");
  return {
    cA,
    pathLength: length && readSmallInteger(length, MAX_PATH_LENGTH, "path length"),
  };
}

function decodeAltNames(element: DerElement, warn: Warn): readonly GeneralName[] {
  if (element.length === 0) warn("empty_extension", "subject alternative name has no names");
  return decodeGeneralNames(element.children(), warn);
}

/** An OCTET STRING; Lithuanian passport authorities write the bare octets, which are taken as they are. */
function decodeSubjectKeyIdentifier(value: DerElement, warn: Warn): string {
  const { bytes, contentStart, length } = value;
  if (length < 128 && bytes[contentStart] === TAG.OCTET_STRING && bytes[contentStart + 1] === length - 2) {
    return only(value, TAG.OCTET_STRING, "subject key identifier").hex;
  }
  warn("subject_key_identifier_raw", "subject key identifier is not wrapped in an OCTET STRING");
  return value.hex;
}

/** AuthorityKeyIdentifier (RFC 5280 4.2.1.1); also used in revocation lists. */
export function decodeAuthorityKeyIdentifier(value: DerElement, warn: Warn): AuthorityKeyIdentifier {
  const fields = only(value, TAG.SEQUENCE, "authority key identifier").children();
  const keyIdentifier = fields.takeOptional(contextTag(0, "primitive"))?.hex;
  const issuer = fields.takeOptional(contextTag(1));
  const serial = fields.takeOptional(contextTag(2, "primitive"));
  fields.finish("authority key identifier");
  return {
    keyIdentifier,
    issuer: issuer && decodeGeneralNames(issuer.children(), warn),
    serialNumber: serial && readIntegerHex(serial),
  };
}

function decodeNameConstraints(element: DerElement, warn: Warn): NameConstraints {
  const fields = element.children();
  const permitted = fields.takeOptional(contextTag(0));
  const excluded = fields.takeOptional(contextTag(1));
  fields.finish("name constraints");
  if (permitted === undefined && excluded === undefined) throw damage("name constraints are empty", element);
  return {
    permitted: permitted === undefined ? [] : decodeGeneralSubtrees(permitted.children(), warn),
    excluded: excluded === undefined ? [] : decodeGeneralSubtrees(excluded.children(), warn),
  };
}

/** The URIs of all distribution points' full names (RFC 5280 4.2.1.13). */
function decodeDistributionPoints(element: DerElement, warn: Warn): readonly string[] {
  const uris: string[] = [];
  const points = element.children();
  while (!points.done) {
    const fields = points.take(TAG.SEQUENCE, "distribution point").children();
    const pointName = fields.takeOptional(contextTag(0));
    fields.takeOptional(contextTag(1, "primitive"));
    fields.takeOptional(contextTag(2));
    fields.finish("distribution point");
    if (pointName !== undefined) uris.push(...fullNameUris(pointName.children(), warn));
  }
  return uris;
}

function fullNameUris(choice: DerCursor, warn: Warn): string[] {
  const fullName = choice.takeOptional(contextTag(0));
  if (fullName === undefined) choice.take(contextTag(1), "distribution point name");
  choice.finish("distribution point name");
  const names = fullName === undefined ? [] : decodeGeneralNames(fullName.children(), warn);
  return names.flatMap((name) => (name.type === "uri" ? [name.value] : []));
}

function damage(message: string, element: DerElement): X509Error {
  return new X509Error("ERR_X509_DER", message, { offset: element.start });
}
