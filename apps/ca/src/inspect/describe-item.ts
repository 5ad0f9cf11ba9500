import {
  type Certificate,
  describeSignatureAlgorithm,
  EKU,
  formatName,
  type GeneralName,
  type KeyUsage,
} from "@newleaf/x509";
import { formatLength, formatRelative } from "../relative-time.ts";
import { isSelfIssued, nameOf } from "./certificate-findings.ts";
import {
  type CertificateItem,
  type CrlItem,
  type Item,
  type KeyFacts,
  keyOf,
  type RequestItem,
} from "./item.ts";
import type { Relations } from "./relations.ts";

export type Field = readonly [label: string, value: string | undefined];

/** An item as lines of label and value, for people. */
export function describeItem(item: Item, relations: Relations, now: Date): readonly Field[] {
  switch (item.kind) {
    case "certificate":
      return describeCertificate(item, relations, now);
    case "private key":
    case "public key":
      return [
        [item.kind, item.key.algorithm],
        ["belongs to", ownersOf(item, relations)],
        ["spki sha256", item.key.spkiSha256],
      ];
    case "revocation list":
      return describeCrl(item, now);
    case "request":
      return describeRequest(item);
    case "encrypted key":
      return [["private key", "encrypted"]];
    case "unreadable":
      return [["unreadable", "see below"]];
    case "other":
      return [["other", `${item.label}, not looked into`]];
  }
}

/** One line of a long list. */
export function summarizeCertificate({ certificate }: CertificateItem, now: Date): readonly [string, string] {
  return [expiry(certificate, now), nameOf(certificate)];
}

function describeCertificate(item: CertificateItem, relations: Relations, now: Date): readonly Field[] {
  const { certificate } = item;
  const isCa = certificate.basicConstraints?.cA === true;
  const selfIssued = isSelfIssued(certificate);
  const kind = isCa ? (selfIssued ? "root" : "intermediate") : "certificate";
  const age = now.getTime() - certificate.notBefore.getTime();
  const lifetime = formatLength(certificate.notAfter.getTime() - certificate.notBefore.getTime());
  return [
    [kind, nameOf(certificate)],
    ["issued by", selfIssued ? "itself" : formatName(certificate.issuer)],
    [
      "names",
      certificate.subjectAltNames.length === 0
        ? undefined
        : certificate.subjectAltNames.map(formatGeneralName).join(", "),
    ],
    [certificate.notAfter < now ? "expired" : "expires", formatRelative(certificate.notAfter, now)],
    [
      "issued",
      age < 0
        ? `valid ${formatRelative(certificate.notBefore, now)}`
        : `${formatLength(age)} ago, for ${lifetime}`,
    ],
    ["may be", usagesOf(certificate)],
    ["key", formatKey(keyOf(certificate))],
    ["signature", signatureOf(certificate.signatureAlgorithm)],
    ["verifies to", pathOf(item, relations)],
    ["serial", certificate.serialNumber],
    ["sha256", certificate.sha256],
  ];
}

function pathOf(item: Item, { paths, unchecked }: Relations): string | undefined {
  if (unchecked.has(item)) return "not checked: no authority was given";
  return paths.get(item)?.slice(1).map(nameOf).join(" <- ");
}

function expiry({ notAfter }: Certificate, now: Date): string {
  return `${notAfter < now ? "expired" : "expires"} ${formatRelative(notAfter, now)}`;
}

function describeCrl({ crl }: CrlItem, now: Date): readonly Field[] {
  const { nextUpdate } = crl;
  return [
    ["revocation list", `${crl.revokedCount} revoked`],
    ["issued by", formatName(crl.issuer)],
    ["signed", formatRelative(crl.thisUpdate, now)],
    ["next", nextUpdate === undefined ? "never" : formatRelative(nextUpdate, now)],
    ["number", crl.crlNumber === undefined ? undefined : BigInt(`0x${crl.crlNumber}`).toString()],
    ["signature", signatureOf(crl.signatureAlgorithm)],
    ["sha256", crl.sha256],
  ];
}

function describeRequest({ request }: RequestItem): readonly Field[] {
  const names = request.subjectAltNames.map(formatGeneralName);
  return [
    ["request", formatName(request.subject) || "no subject"],
    ["names", names.length === 0 ? undefined : names.join(", ")],
    ["may be", usageNames(request.extendedKeyUsage, request.keyUsage)],
    ["key", formatKey(keyOf(request))],
    ["signature", signatureOf(request.signatureAlgorithm)],
  ];
}

function ownersOf(item: Item, { owners }: Relations): string | undefined {
  const found = owners.get(item) ?? [];
  if (found.length === 0) return undefined;
  return found
    .map((owner) => {
      const name = owner.kind === "certificate" ? nameOf(owner.certificate) : "the request";
      return `${name} (${owner.input.path})`;
    })
    .join("\n");
}

export function formatGeneralName(name: GeneralName): string {
  if (name.type === "directory") return `directory ${formatName(name.name)}`;
  if (name.type === "other") return `other name [${name.tag}]`;
  return name.type === "dns" || name.type === "uri" ? name.value : `${name.type} ${name.value}`;
}

function usagesOf({ extendedKeyUsage, keyUsage, basicConstraints }: Certificate): string | undefined {
  if (basicConstraints?.cA !== true) return usageNames(extendedKeyUsage, keyUsage);
  const depth = basicConstraints.pathLength;
  const limit = depth === undefined ? "" : `, at most ${depth} CA${depth === 1 ? "" : "s"} below`;
  return `an authority${limit}`;
}

function usageNames(
  extended: readonly string[] | undefined,
  keyUsage: ReadonlySet<KeyUsage> | undefined,
): string {
  const roles = extended === undefined ? ["anything"] : extended.map((oid) => usageWords[oid] ?? oid);
  const bits = keyUsage === undefined ? "" : ` (${[...keyUsage].join(", ")})`;
  return roles.join(" and ") + bits;
}

const usageWords: Readonly<Record<string, string>> = {
  [EKU.serverAuth]: "server",
  [EKU.clientAuth]: "client",
  "1.3.6.1.5.5.7.3.3": "code signer",
  "1.3.6.1.5.5.7.3.4": "mail signer",
  "1.3.6.1.5.5.7.3.8": "time stamper",
  "1.3.6.1.5.5.7.3.9": "OCSP responder",
  "2.5.29.37.0": "anything",
};

function formatKey(key: KeyFacts | undefined): string {
  return key === undefined ? "not usable here" : `${key.algorithm}, spki sha256 ${key.spkiSha256}`;
}

export function signatureOf({ oid, parameters }: Certificate["signatureAlgorithm"]): string {
  return describeSignatureAlgorithm(oid, parameters)?.name ?? oid;
}
