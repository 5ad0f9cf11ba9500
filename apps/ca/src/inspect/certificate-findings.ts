import { basename } from "node:path";
import { type Certificate, describeSignatureAlgorithm, EKU, formatName } from "@newleaf/x509";
import { formatLength, formatRelative } from "../relative-time.ts";
import { type Finding, finding } from "./finding.ts";
import { type CertificateItem, type KeyFacts, keyOf } from "./item.ts";

export interface CheckOptions {
  readonly now: Date;
  /** What leaves are for. */
  readonly purpose: "mtls" | "server" | "client";
  /** Warn when less than this is left; by default a quarter of the lifetime, 30 days at most. */
  readonly soonMs: number | undefined;
}

/** What one certificate shows on its own. */
export function certificateFindings(item: CertificateItem, options: CheckOptions): readonly Finding[] {
  const { certificate } = item;
  const leaf = certificate.basicConstraints?.cA !== true;
  return [
    ...validity(item, options),
    ...strength(item),
    ...(leaf ? leafFindings(item, options) : authorityFindings(item)),
    ...certificate.warnings
      .filter(({ code }) => code !== "weak_signature")
      .map(({ code, message }) =>
        finding("note", "deviation", item, `${nameOf(certificate)}: ${message} (${code})`),
      ),
  ];
}

/** How people tell certificates apart. */
export function nameOf({ subject, subjectAltNames, serialNumber }: Certificate): string {
  const [first] = subjectAltNames;
  if (subject.attributes.length > 0) return formatName(subject);
  return first !== undefined && "value" in first ? first.value : `serial ${serialNumber}`;
}

export function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return Buffer.from(subject.der).equals(Buffer.from(issuer.der));
}

function validity(item: CertificateItem, { now, soonMs }: CheckOptions): readonly Finding[] {
  const { certificate } = item;
  const { notBefore, notAfter } = certificate;
  const lifetime = notAfter.getTime() - notBefore.getTime();
  const left = notAfter.getTime() - now.getTime();
  const age = now.getTime() - notBefore.getTime();
  const name = nameOf(certificate);
  const isCa = certificate.basicConstraints?.cA === true;
  if (lifetime < 0) return [finding("error", "valid_never", item, `${name} ends before it begins`)];
  if (left < 0) {
    return [
      finding("error", "expired", item, `${name} expired ${formatRelative(notAfter, now)}`, "renew it"),
    ];
  }
  if (age < 0) {
    const message = `${name} is not valid yet, only ${formatRelative(notBefore, now)}`;
    return [
      finding(
        "error",
        "not_yet_valid",
        item,
        message,
        "wait, or check the clocks of issuer and this machine",
      ),
    ];
  }
  const findings: Finding[] = [];
  if (left < (soonMs ?? Math.min(lifetime / 4, 30 * 86_400_000))) {
    const share = Math.floor((100 * left) / lifetime);
    const message = `${name} expires ${formatRelative(notAfter, now)}, with ${share} % of its ${formatLength(lifetime)} left`;
    const hint = isCa ? "move to its successor before then" : "it should have been renewed by now";
    findings.push(finding("warning", "expires_soon", item, message, hint));
  }
  if (age < Math.min(30_000, lifetime / 20)) {
    const message = `${name} began to be valid only ${formatLength(age)} ago: a peer whose clock is behind refuses it`;
    findings.push(finding("note", "clock_skew", item, message, "issue with notBefore a minute in the past"));
  }
  return findings;
}

function strength(item: CertificateItem): readonly Finding[] {
  const { certificate } = item;
  const { oid, parameters } = certificate.signatureAlgorithm;
  const signature = describeSignatureAlgorithm(oid, parameters);
  const findings: Finding[] = [];
  // Nobody relies on the signature of a root: it is trusted for being in the bundle.
  if (signature?.weak === true && !isSelfIssued(certificate)) {
    const message = `${nameOf(certificate)} is signed with ${signature.name}, which can be forged`;
    findings.push(finding("error", "weak_signature", item, message, "have it issued with SHA-256"));
  }
  const key = keyOf(certificate);
  if (key === undefined) {
    const message = `${nameOf(certificate)} has a key that this machine cannot use`;
    return [...findings, finding("error", "weak_key", item, message)];
  }
  return isWeak(key)
    ? [
        ...findings,
        finding("error", "weak_key", item, `${nameOf(certificate)} has a weak key: ${key.algorithm}`),
      ]
    : findings;
}

export function isWeak({ algorithm, bits }: KeyFacts): boolean {
  return bits !== undefined && bits < (algorithm.startsWith("ECDSA") ? 256 : 2_048);
}

function leafFindings(item: CertificateItem, { purpose }: CheckOptions): readonly Finding[] {
  const { certificate } = item;
  const { extendedKeyUsage, keyUsage, subjectAltNames, subject } = certificate;
  const name = nameOf(certificate);
  const findings: Finding[] = [];
  if (subjectAltNames.length === 0) {
    const only = subject.commonName === undefined ? "no name at all" : "a common name only";
    const message = `${name} has ${only}: clients match names among the alternative names`;
    findings.push(finding("warning", "no_names", item, message, "issue it with a DNS, IP or URI name"));
  }
  const missing = wantedUsages(purpose).filter(([oid]) => extendedKeyUsage?.includes(oid) === false);
  for (const [, role] of missing) {
    const message = `${name} may not be used as a ${role}: its extended key usage does not say so`;
    const hint = `issue it for ${role}s too, or inspect with --for ${role === "server" ? "client" : "server"}`;
    findings.push(finding("warning", "wrong_usage", item, message, hint));
  }
  if (keyUsage !== undefined && !keyUsage.has("digitalSignature")) {
    const message = `${name} may not sign (key usage without digitalSignature): TLS 1.3 needs that`;
    findings.push(finding("error", "wrong_usage", item, message, "issue it with key usage digitalSignature"));
  }
  const days = (certificate.notAfter.getTime() - certificate.notBefore.getTime()) / 86_400_000;
  if (days > 398) {
    const message = `${name} is valid for ${Math.round(days)} days: browsers refuse servers above 398`;
    findings.push(finding("note", "long_lived", item, message));
  }
  return findings;
}

function wantedUsages(
  purpose: CheckOptions["purpose"],
): readonly (readonly [oid: string, role: "server" | "client"])[] {
  const server = [EKU.serverAuth, "server"] as const;
  const client = [EKU.clientAuth, "client"] as const;
  return { mtls: [server, client], server: [server], client: [client] }[purpose];
}

function authorityFindings(item: CertificateItem): readonly Finding[] {
  const { certificate, input, position } = item;
  const findings: Finding[] = [];
  if (certificate.keyUsage !== undefined && !certificate.keyUsage.has("keyCertSign")) {
    const message = `${nameOf(certificate)} is a CA that may not sign certificates (key usage without keyCertSign)`;
    findings.push(finding("error", "not_a_signer", item, message));
  }
  if (/^(tls|server|client|svid|cert)\.(crt|pem|cer)$/.test(basename(input.path)) && position === 0) {
    const message = `${nameOf(certificate)} is a CA certificate in the place of a leaf: peers refuse it`;
    findings.push(
      finding("error", "ca_as_leaf", item, message, "put the leaf first, then its intermediates"),
    );
  }
  return findings;
}
