import type { Certificate } from "./certificate.ts";
import type { CertificateRevocationList } from "./crl.ts";
import { describeCertificate } from "./internal/describe-certificate.ts";
import { buildPaths, type PathSearch } from "./internal/path-builder.ts";
import { checkCertificates, type PathPurpose } from "./internal/path-rules.ts";
import { MAX_SIGNATURE_CHECKS } from "./internal/signed-by.ts";
import { checkNameConstraints } from "./name-constraints.ts";
import { type PathFailure, type PathFailureCode, pathFailure } from "./path-failure.ts";
import { checkRevocation } from "./revocation.ts";
import type { TrustBundle } from "./trust-bundle.ts";

export type { PathPurpose };

export interface PathOptions {
  readonly now: Date;
  /** What the leaf is used for; `any` leaves the extended key usage unchecked. */
  readonly purpose: PathPurpose;
  /** Certificates that may lie between leaf and anchor, in any order; they are never trusted themselves. */
  readonly intermediates?: readonly Certificate[];
  /** Given and not empty: every certificate of the path but the anchor needs a current list of its issuer. */
  readonly crls?: readonly CertificateRevocationList[];
  /**
   * Intermediates known from elsewhere, such as one's own chain. They never complete a path that lacks them, but
   * tell `chain_incomplete` from `unknown_authority`. Keep the objects: one of them stands in for an equal
   * intermediate that a peer has sent, whose key then need not be imported nor its signature checked anew.
   */
  readonly knownIntermediates?: readonly Certificate[];
}

export type PathResult =
  | {
      readonly ok: true;
      /** From the leaf to the trust anchor, both included. */
      readonly path: readonly Certificate[];
      /** The earliest notAfter on the path, or nextUpdate of a revocation list used for it. */
      readonly validUntil: Date;
    }
  | PathFailure;

/**
 * Builds and validates a certification path from `leaf` to a certificate of `trust` (RFC 5280 section 6) as a TLS
 * 1.3 peer needs it. Pure, bounded (10 certificates a path, 100 signature checks), and never throws on odd input:
 * a path that is not there or not acceptable is a value. Alternatives (cross-signed CAs, several certificates of
 * one name or key, several anchors) are all tried before it fails.
 *
 * Stricter than RFC 5280 asks: an anchor is held to its certificate as well (validity, cA, key usage, path length,
 * name constraints, extended key usage), key usage of the leaf must have digitalSignature, SHA-1 and MD5
 * signatures and RSA keys under 2048 bits are refused. Certificate policies are not evaluated.
 *
 * Of several failures the answer is: a rule broken on a path that does lead to the bundle (in the order of
 * `MOST_TELLING`) before anything about paths that do not (limit, weak_key, bad_signature, then chain_incomplete or
 * unknown_authority).
 */
export function validatePath(leaf: Certificate, trust: TrustBundle, options: PathOptions): PathResult {
  const { now, purpose, crls = [], knownIntermediates: known = [] } = options;
  const intermediates = withKnownObjects(options.intermediates ?? [], known);
  const search: PathSearch = { trust, intermediates, now, budget: { left: MAX_SIGNATURE_CHECKS } };
  const paths = buildPaths(leaf, search);
  let worst: PathFailure | undefined;
  for (;;) {
    const next = paths.next();
    if (next.done === true) return worst ?? diagnose(leaf, next.value, search, known);
    const path = next.value;
    const failure = checkCertificates(path, purpose, now) ?? checkNameConstraints(path);
    const revocation = failure ?? checkRevocation(path, crls, now, search.budget);
    if (revocation.ok) return { ok: true, path, validUntil: validUntil(path, revocation.validUntil) };
    worst = moreTelling(worst, revocation);
  }
}

function withKnownObjects(
  sent: readonly Certificate[],
  known: readonly Certificate[],
): readonly Certificate[] {
  if (known.length === 0) return sent;
  const objects = new Map(known.map((certificate) => [certificate.sha256, certificate]));
  return sent.map((certificate) => objects.get(certificate.sha256) ?? certificate);
}

/** What an authority decided about this path comes before what time or missing data did to it. */
const MOST_TELLING: readonly PathFailureCode[] = [
  "revoked",
  "ca_as_leaf",
  "name_constraints",
  "path_length",
  "not_a_ca",
  "key_usage",
  "wrong_usage",
  "unknown_critical_extension",
  "weak_key",
  "not_yet_valid",
  "expired",
  "crl_expired",
  "crl_missing",
  "limit",
];

function moreTelling(a: PathFailure | undefined, b: PathFailure): PathFailure {
  if (a === undefined) return b;
  const order =
    MOST_TELLING.indexOf(a.code) - MOST_TELLING.indexOf(b.code) ||
    (a.certificate.sha256 < b.certificate.sha256 ? -1 : 1);
  return order <= 0 ? a : b;
}

function validUntil(path: readonly Certificate[], nextUpdate: Date | undefined): Date {
  const ends = path.map(({ notAfter }) => notAfter.getTime());
  return new Date(Math.min(...ends, nextUpdate?.getTime() ?? Number.POSITIVE_INFINITY));
}

/** Would the certificates known from elsewhere have completed the chain? Then the peer forgot to send them. */
function diagnose(
  leaf: Certificate,
  deadEnd: PathFailure,
  search: PathSearch,
  known: readonly Certificate[],
): PathFailure {
  if (known.length === 0 || deadEnd.code === "limit") return deadEnd;
  const wider = {
    ...search,
    intermediates: [...search.intermediates, ...known],
    budget: { left: MAX_SIGNATURE_CHECKS },
  };
  const found = buildPaths(leaf, wider).next();
  if (found.done === true) return deadEnd;
  const path = found.value;
  const presented = new Set([...search.intermediates, path[path.length - 1]].map((known) => known?.sha256));
  const missing = path.slice(1).filter(({ sha256 }) => !presented.has(sha256));
  const below = path.find((_, depth) => path[depth + 1] === missing[0]) ?? leaf;
  const names = missing.map(describeCertificate).join(", ");
  return pathFailure(
    "chain_incomplete",
    below,
    `the chain lacks ${names} above ${describeCertificate(below)}`,
  );
}
