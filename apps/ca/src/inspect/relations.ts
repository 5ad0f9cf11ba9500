import {
  type Certificate,
  createTrustBundle,
  type PathResult,
  validatePath,
  verifyCsr,
  verifySignature,
} from "@newleaf/x509";
import { formatRelative } from "../relative-time.ts";
import { isSelfIssued, isWeak, nameOf } from "./certificate-findings.ts";
import { isLeaf } from "./file-findings.ts";
import { type Finding, type FindingCode, finding } from "./finding.ts";
import {
  type CertificateItem,
  type CrlItem,
  type Item,
  type KeyItem,
  keyFacts,
  keyOf,
  type RequestItem,
} from "./item.ts";

/** What belongs to what, and what does not but should. */
export interface Relations {
  /** For a key: the certificates and requests it belongs to. */
  readonly owners: ReadonlyMap<Item, readonly (CertificateItem | RequestItem)[]>;
  /** For a leaf: the path to an authority among the items, leaf first. */
  readonly paths: ReadonlyMap<Item, readonly Certificate[]>;
  /** Leaves without any authority beside them. */
  readonly unchecked: ReadonlySet<Item>;
  readonly findings: readonly Finding[];
}

export function relate(items: readonly Item[], now: Date): Relations {
  const certificates = items.filter((item): item is CertificateItem => item.kind === "certificate");
  const requests = items.filter((item): item is RequestItem => item.kind === "request");
  const authorities = certificates.filter((item) => !isLeaf(item));
  const crls = items.filter((item): item is CrlItem => item.kind === "revocation list");
  const owners = new Map<Item, readonly (CertificateItem | RequestItem)[]>();
  const paths = new Map<Item, readonly Certificate[]>();
  const unchecked = new Set<Item>();
  const findings: Finding[] = [];
  for (const item of items) {
    if (item.kind === "private key" || item.kind === "public key") {
      const own = certificates.filter(({ certificate }) => isFor(item, certificate));
      owners.set(item, [...own, ...requests.filter(({ request }) => isFor(item, request))]);
      findings.push(...keyFindings(item, own, certificates));
    } else if (item.kind === "revocation list") findings.push(...crlFindings(item, certificates, now));
    else if (item.kind === "request") findings.push(...requestFindings(item));
    else if (item.kind === "certificate" && isLeaf(item)) {
      const result = verify(item, authorities, crls, now);
      if (result === undefined) unchecked.add(item);
      if (result?.ok === true) paths.set(item, result.path);
      findings.push(...pathFindings(item, result));
    }
  }
  return { owners, paths, unchecked, findings };
}

function isFor({ key }: KeyItem, owner: Certificate | RequestItem["request"]): boolean {
  return keyOf(owner)?.spkiSha256 === key.spkiSha256;
}

/** Files of one directory belong together; a file named by itself belongs to all others named. */
function areTogether(a: Item, b: Item): boolean {
  return a.input.directory === b.input.directory;
}

function keyFindings(
  item: KeyItem,
  owners: readonly CertificateItem[],
  certificates: readonly CertificateItem[],
): readonly Finding[] {
  const beside = certificates.filter((other) => areTogether(item, other));
  const findings: Finding[] = [];
  if (isWeak(item.key))
    findings.push(finding("error", "weak_key", item, `the key is weak: ${item.key.algorithm}`));
  if (!beside.some(isLeaf) || beside.some((other) => owners.includes(other))) return findings;
  const [elsewhere] = owners;
  const leaves = beside.filter(isLeaf).map(({ certificate }) => nameOf(certificate));
  const belongs =
    elsewhere === undefined
      ? ""
      : `; it belongs to ${nameOf(elsewhere.certificate)} in ${elsewhere.input.path}`;
  const message = `the ${item.kind} does not belong to ${[...new Set(leaves)].join(" or ")}${belongs}`;
  return [...findings, finding("error", "key_mismatch", item, message, "issue certificate and key together")];
}

/** undefined when there is no authority among the items to verify to. */
function verify(
  item: CertificateItem,
  authorities: readonly CertificateItem[],
  crls: readonly CrlItem[],
  now: Date,
): PathResult | undefined {
  const { certificate } = item;
  const beside = authorities.filter((other) => areTogether(item, other));
  const own = beside.filter(({ input }) => input === item.input).map((other) => other.certificate);
  const given = beside.filter(({ input }) => input !== item.input).map((other) => other.certificate);
  // A chain file alone can still be verified to the root that it should not contain.
  const anchors = given.length > 0 ? given : own.filter(isSelfIssued);
  if (anchors.length === 0) return undefined;
  const lists = crls.filter((crl) => areTogether(item, crl)).map(({ crl }) => crl);
  return validatePath(certificate, createTrustBundle(anchors), {
    now: within(certificate, now),
    purpose: "any",
    intermediates: own,
    crls: lists,
  });
}

/** An expired leaf is reported as such; whether it was issued by its authority is another question. */
function within({ notBefore, notAfter }: Certificate, now: Date): Date {
  if (now < notBefore) return notBefore;
  return now > notAfter ? notAfter : now;
}

function pathFindings(item: CertificateItem, result: PathResult | undefined): readonly Finding[] {
  if (result === undefined || result.ok) return [];
  const name = nameOf(item.certificate);
  const known: Partial<Record<typeof result.code, FindingCode>> = {
    revoked: "revoked",
    crl_missing: "crl_missing",
    crl_expired: "crl_expired",
  };
  const code = known[result.code] ?? "unverified_chain";
  if (code === "crl_expired") return [];
  const severity = code === "crl_missing" ? "warning" : "error";
  const message = `${name} does not verify to the authorities given: ${result.message} (${result.code})`;
  const hint = { revoked: "issue a new one", crl_missing: "give a list for every authority on the path" }[
    code as string
  ];
  const fallback =
    "check that the bundle is of the authority that issued it, and that intermediates are in the chain";
  return [finding(severity, code, item, message, hint ?? fallback)];
}

function crlFindings(item: CrlItem, certificates: readonly CertificateItem[], now: Date): readonly Finding[] {
  const { crl } = item;
  const findings: Finding[] = [];
  if (crl.nextUpdate !== undefined) {
    const left = crl.nextUpdate.getTime() - now.getTime();
    const window = crl.nextUpdate.getTime() - crl.thisUpdate.getTime();
    const when = formatRelative(crl.nextUpdate, now);
    const hint = "fetch or sign a new one: with an expired list every peer is refused";
    if (left < 0)
      findings.push(finding("error", "crl_expired", item, `the revocation list expired ${when}`, hint));
    else if (left < window / 4) {
      findings.push(
        finding("warning", "crl_expires_soon", item, `the revocation list expires ${when}`, hint),
      );
    }
  }
  const issuers = certificates
    .map(({ certificate }) => certificate)
    .filter((certificate) => Buffer.from(certificate.subject.der).equals(Buffer.from(crl.issuer.der)));
  if (issuers.length === 0) return findings;
  if (issuers.some((issuer) => isSignedBy(crl, issuer))) return findings;
  const message = "the revocation list is not signed by the authority that it names";
  return [...findings, finding("error", "crl_bad_signature", item, message)];
}

function isSignedBy({ tbs, signatureAlgorithm, signature }: CrlItem["crl"], issuer: Certificate): boolean {
  try {
    return verifySignature(tbs, signatureAlgorithm, signature, issuer.publicKey);
  } catch {
    return false;
  }
}

function requestFindings(item: RequestItem): readonly Finding[] {
  const { request } = item;
  const findings: Finding[] = [];
  try {
    const key = keyFacts(request.publicKey);
    if (isWeak(key))
      findings.push(finding("error", "weak_key", item, `the request is for a weak key: ${key.algorithm}`));
    if (!verifyCsr(request)) {
      findings.push(finding("error", "bad_request", item, "the request is not signed by the key it is for"));
    }
  } catch {
    findings.push(
      finding("error", "weak_key", item, "the request is for a key that this machine cannot use"),
    );
  }
  if (request.subjectAltNames.length === 0) {
    const message = "the request asks for no alternative names: clients match nothing else";
    findings.push(finding("warning", "no_names", item, message));
  }
  return findings;
}
