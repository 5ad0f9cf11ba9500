import { Buffer } from "node:buffer";
import { type KeyObject, randomBytes } from "node:crypto";
import { explicit, integer, sequence, time } from "../der-writer.ts";
import { X509Error } from "../error.ts";
import type { Extension } from "../extension.ts";
import {
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoints,
  encodeExtensions,
  extendedKeyUsage,
  keyUsage,
  nameConstraints,
  subjectAltNames,
  subjectKeyIdentifier,
} from "../extension-writer.ts";
import type { GeneralName } from "../general-name.ts";
import type { IssueOptions } from "../issue.ts";
import { keyIdentifierOf } from "../key-identifier.ts";
import { EKU } from "../key-usage.ts";
import { encodeName } from "../name-writer.ts";
import { encodeSignatureAlgorithm, encodeSigned } from "../signed-writer.ts";

/** Who signs: name and key, and the key's identifier unless the certificate is self-signed. */
export interface Issuer {
  readonly name: Uint8Array;
  readonly key: KeyObject;
  readonly keyIdentifier: string | undefined;
}

/** The DER of a version 3 certificate for `publicKey`, signed by `issuer` (RFC 5280 4.1). */
export function writeCertificate(issuer: Issuer, publicKey: KeyObject, options: IssueOptions): Uint8Array {
  const notBefore = options.notBefore ?? new Date(Date.now() - BACKDATE_MS);
  if (!(notBefore.getTime() <= options.notAfter.getTime())) {
    throw new X509Error("ERR_X509_ISSUE", "notAfter is before notBefore, or one of them is no date");
  }
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  const tbs = sequence(
    explicit(0, integer(2)),
    integer(serialOctets(options.serialNumber)),
    encodeSignatureAlgorithm(issuer.key),
    issuer.name,
    sequence(time(notBefore), time(options.notAfter)),
    encodeName(options.subject),
    spki,
    ...wrapExtensions(extensionsOf(issuer, keyIdentifierOf(spki), options)),
  );
  return encodeSigned(tbs, issuer.key);
}

/** Names of all forms, in the order of the options. */
export function alternativeNames(options: Pick<IssueOptions, AlternativeNameOption>): GeneralName[] {
  return [
    ...(options.dnsNames ?? []).map((value): GeneralName => ({ type: "dns", value })),
    ...(options.uris ?? []).map((value): GeneralName => ({ type: "uri", value })),
    ...(options.ips ?? []).map((value): GeneralName => ({ type: "ip", value })),
    ...(options.emails ?? []).map((value): GeneralName => ({ type: "email", value })),
    ...(options.otherNames ?? []),
  ];
}

export type AlternativeNameOption = "dnsNames" | "uris" | "ips" | "emails" | "otherNames";

const BACKDATE_MS = 60_000;

/** A serial number is positive and has at most 20 octets (RFC 5280 4.1.2.2). */
function serialOctets(hex: string | undefined): Uint8Array {
  if (hex === undefined) {
    const octets = randomBytes(20);
    // 20 octets as an INTEGER: the top bit clear keeps it positive, the next one set keeps its length.
    octets[0] = ((octets[0] ?? 0) & 0x7f) | 0x40;
    return octets;
  }
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  const tooLong = octets.length > 20 || (octets.length === 20 && (octets[0] ?? 0) >= 0x80);
  if (!/^[0-9a-f]+$/i.test(hex) || /^0*$/.test(hex) || tooLong) {
    throw new X509Error(
      "ERR_X509_ISSUE",
      "serial number is not hex of a positive integer of up to 20 octets",
    );
  }
  return octets;
}

function extensionsOf(issuer: Issuer, keyIdentifier: string, options: IssueOptions): Extension[] {
  const isCa = options.isCa ?? false;
  const usages = options.keyUsage === undefined ? defaultKeyUsage(isCa) : options.keyUsage;
  const purposes = options.extendedKeyUsage === undefined ? defaultPurposes(isCa) : options.extendedKeyUsage;
  const names = alternativeNames(options);
  const constraints = options.nameConstraints;
  const points = options.crlDistributionPoints ?? [];
  const omitted = options.omitExtensions ?? [];
  return [
    basicConstraints(isCa, options.pathLength),
    ...(usages === null ? [] : [keyUsage(usages)]),
    ...(purposes === null ? [] : [extendedKeyUsage(purposes)]),
    ...(names.length === 0 ? [] : [subjectAltNames(names, options.subject.trim() === "")]),
    subjectKeyIdentifier(keyIdentifier),
    ...(issuer.keyIdentifier === undefined ? [] : [authorityKeyIdentifier(issuer.keyIdentifier)]),
    ...(constraints === undefined
      ? []
      : [nameConstraints(constraints.permitted ?? [], constraints.excluded ?? [])]),
    ...(points.length === 0 ? [] : [crlDistributionPoints(points)]),
    ...(options.extraExtensions ?? []),
  ].filter(({ oid }) => !omitted.includes(oid));
}

function defaultKeyUsage(isCa: boolean): NonNullable<IssueOptions["keyUsage"]> {
  return isCa ? ["keyCertSign", "cRLSign"] : ["digitalSignature"];
}

function defaultPurposes(isCa: boolean): readonly string[] | null {
  return isCa ? null : [EKU.clientAuth, EKU.serverAuth];
}

/** `[3]` of a certificate; an empty list is left out, as the sequence must not be empty. */
function wrapExtensions(extensions: readonly Extension[]): Uint8Array[] {
  return extensions.length === 0 ? [] : [explicit(3, encodeExtensions(extensions))];
}
