import { describeSignatureAlgorithm } from "./algorithm.ts";
import type { Certificate } from "./certificate.ts";
import type { CertificateRevocationList } from "./crl.ts";
import { EXTENSION } from "./extension.ts";
import { describeCertificate } from "./internal/describe-certificate.ts";
import { keyOfName } from "./internal/name-index.ts";
import { isSignedBy, MAX_SIGNATURE_CHECKS, type SignatureBudget } from "./internal/signed-by.ts";
import { formatName } from "./name.ts";
import { type PathFailure, pathFailure } from "./path-failure.ts";

export type RevocationResult =
  | {
      readonly ok: true;
      /** The earliest nextUpdate of the lists that were used. */
      readonly validUntil: Date | undefined;
    }
  | PathFailure;

/**
 * Checks every certificate of the path but the anchor against the revocation list of its issuer (RFC 5280 6.3),
 * from the anchor downward. `path` is valid otherwise and runs from the leaf to the anchor; without any list
 * nothing is checked.
 *
 * A list counts if it is signed by the key that signed the certificate, and that key may sign lists. Of several the
 * newest decides. It must be complete: delta lists and lists with an issuing distribution point (partitioned,
 * indirect) are not supported and make it `crl_missing`, older complete ones or not. And it must be current: one
 * that has run out, or does not say when it will, is `crl_expired`.
 */
export function checkRevocation(
  path: readonly Certificate[],
  crls: readonly CertificateRevocationList[],
  now: Date,
  budget: SignatureBudget,
): RevocationResult {
  let validUntil: Date | undefined;
  if (crls.length === 0) return { ok: true, validUntil };
  for (let depth = path.length - 2; depth >= 0; depth--) {
    const [certificate, issuer] = [path[depth], path[depth + 1]];
    if (certificate === undefined || issuer === undefined) continue;
    const status = statusOf(certificate, issuer, crls, now, budget);
    if (!status.ok) return status;
    if (validUntil === undefined || (status.validUntil ?? validUntil) < validUntil) {
      validUntil = status.validUntil;
    }
  }
  return { ok: true, validUntil };
}

function statusOf(
  certificate: Certificate,
  issuer: Certificate,
  crls: readonly CertificateRevocationList[],
  now: Date,
  budget: SignatureBudget,
): RevocationResult {
  const name = keyOfName(certificate.issuer);
  const named = crls.filter((crl) => keyOfName(crl.issuer) === name).sort(newestFirst);
  let why: string | undefined;
  for (const crl of named) {
    const foreign = whyForeign(crl, issuer, now, budget);
    why ??= foreign;
    if (foreign !== undefined) continue;
    why = whyUnsupported(crl);
    if (why === undefined) return statusOn(crl, certificate, now);
    break;
  }
  if (budget.left <= 0)
    return pathFailure("limit", certificate, `more than ${MAX_SIGNATURE_CHECKS} signature checks`);
  const missing = `no revocation list of ${formatName(certificate.issuer)} for ${describeCertificate(certificate)}`;
  const message = why === undefined ? missing : `${missing}: the newest one ${why}`;
  return pathFailure("crl_missing", certificate, message);
}

/** RFC 5280 6.3.3 d and j to l. */
function statusOn(crl: CertificateRevocationList, certificate: Certificate, now: Date): RevocationResult {
  const name = describeCertificate(certificate);
  const entry = crl.isRevoked(certificate.serialNumber);
  if (entry !== undefined) {
    const reason = entry.reason === undefined ? "" : ` (${entry.reason})`;
    return pathFailure("revoked", certificate, `${name} was revoked at ${entry.date.toISOString()}${reason}`);
  }
  const { nextUpdate } = crl;
  if (nextUpdate !== undefined && now <= nextUpdate) return { ok: true, validUntil: nextUpdate };
  const end =
    nextUpdate === undefined ? "does not say until when it holds" : `ended at ${nextUpdate.toISOString()}`;
  const message = `the revocation list of ${formatName(crl.issuer)} for ${name} ${end}`;
  return pathFailure("crl_expired", certificate, message);
}

/** RFC 5280 6.3.3 f and g: not a list by this issuer, or none yet. */
function whyForeign(
  crl: CertificateRevocationList,
  issuer: Certificate,
  now: Date,
  budget: SignatureBudget,
): string | undefined {
  if (!(crl.thisUpdate <= now)) return `is not valid before ${crl.thisUpdate.toISOString()}`;
  if (issuer.keyUsage?.has("cRLSign") === false) return "is of a CA whose key usage lacks cRLSign";
  return isSignedBy(crl, issuer, budget) ? undefined : "is not signed by the key that signed the certificate";
}

const PROCESSED: ReadonlySet<string> = new Set([EXTENSION.crlNumber, EXTENSION.authorityKeyIdentifier]);

/** RFC 5280 5.2 and 6.3.3 a to e: a list that does not speak for every certificate of its issuer. */
function whyUnsupported(crl: CertificateRevocationList): string | undefined {
  const has = (oid: string) => crl.extensions.some((extension) => extension.oid === oid);
  if (has(EXTENSION.deltaCrlIndicator)) return "is a delta list, which is not supported";
  if (has(EXTENSION.issuingDistributionPoint)) {
    return "covers only some certificates (issuing distribution point), which is not supported";
  }
  const unknown = crl.extensions.find(({ oid, critical }) => critical && !PROCESSED.has(oid));
  if (unknown !== undefined) return `has the unknown critical extension ${unknown.oid}`;
  const [entry] = crl.unknownCriticalEntryExtensions;
  if (entry !== undefined) return `has entries with the unknown critical extension ${entry}`;
  const { oid, parameters } = crl.signatureAlgorithm;
  const weak = describeSignatureAlgorithm(oid, parameters)?.weak === true;
  return weak ? "has a signature that can be forged" : undefined;
}

function newestFirst(a: CertificateRevocationList, b: CertificateRevocationList): number {
  return b.thisUpdate.getTime() - a.thisUpdate.getTime() || compareNumbers(b.crlNumber, a.crlNumber);
}

/** crlNumber is hex of a non-negative integer of any size. */
function compareNumbers(a = "", b = ""): number {
  const [x, y] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return x.length - y.length || (x < y ? -1 : Number(x > y));
}
