import { Buffer } from "node:buffer";
import type { Certificate } from "../certificate.ts";
import { type PathFailure, type PathFailureCode, pathFailure } from "../path-failure.ts";
import type { TrustBundle } from "../trust-bundle.ts";
import { describeCertificate } from "./describe-certificate.ts";
import { keyWeakness } from "./key-strength.ts";
import { anchorsNamed, isSelfIssued, keyOfName } from "./name-index.ts";
import { isSignedBy, MAX_SIGNATURE_CHECKS, type SignatureBudget } from "./signed-by.ts";

/** Certificates on a path, leaf and anchor included. */
const MAX_PATH_CERTIFICATES = 10;

/** What one search works on; `budget` is shared with the checks of the paths it finds. */
export interface PathSearch {
  readonly trust: TrustBundle;
  readonly intermediates: readonly Certificate[];
  readonly now: Date;
  readonly budget: SignatureBudget;
}

/**
 * Finds every path from the leaf to a trust anchor, names chained and signatures verified (RFC 5280 6.1.3 a.1 and
 * a.4), best candidates first, and leaves all other rules to the caller. Ends with the most telling reason why
 * there are no more. The order of the intermediates does not matter: they are sorted and taken as a set.
 *
 * A path ends at the first certificate that is in the bundle, self-signed or not. A leaf is its own anchor only
 * if it is in the bundle and self-signed: there is no other way to trust it, so it was listed on purpose. Any
 * other leaf in a bundle got there by accident (a chain file used as bundle), and taking it as anchor would let
 * it outlive its revocation and its CA.
 */
export function* buildPaths(
  leaf: Certificate,
  search: PathSearch,
): Generator<readonly Certificate[], PathFailure> {
  const deadEnds: DeadEnd[] = [];
  if (search.trust.has(leaf) && isSelfIssued(leaf) && isSignedBy(leaf, leaf, search.budget)) yield [leaf];
  yield* extend([leaf], { ...search, intermediates: unique(search) }, deadEnds);
  return mostTelling(leaf, deadEnds, search.budget);
}

interface DeadEnd {
  readonly failure: PathFailure;
  readonly depth: number;
}

function* extend(
  path: readonly Certificate[],
  search: PathSearch,
  deadEnds: DeadEnd[],
): Generator<readonly Certificate[], void> {
  const top = path[path.length - 1];
  if (top === undefined) return;
  const end = (code: PathFailureCode, certificate: Certificate, message: string) =>
    deadEnds.push({ failure: pathFailure(code, certificate, message), depth: path.length });
  let signed = false;
  let mismatched = false;
  for (const issuer of candidates(top, path, search)) {
    if (search.budget.left <= 0) return;
    const weakness = keyWeakness(issuer.subjectPublicKeyInfo);
    if (weakness?.costly === true) {
      end("weak_key", issuer, `${describeCertificate(issuer)} has an ${weakness.message}`);
    } else if (!isSignedBy(top, issuer, search.budget)) {
      mismatched ||= keyIdentifierRank(top, issuer) !== OTHER_KEY;
      continue;
    } else if (search.trust.has(issuer)) {
      yield [...path, issuer];
    } else if (path.length + 1 >= MAX_PATH_CERTIFICATES) {
      end(
        "limit",
        top,
        `path of ${describeCertificate(path[0] ?? top)} is longer than ${MAX_PATH_CERTIFICATES}`,
      );
    } else {
      yield* extend([...path, issuer], search, deadEnds);
    }
    signed = true;
  }
  if (signed) return;
  // A genuine root that merely shares its name with a trusted one was not tampered with.
  if (!mismatched || (isSelfIssued(top) && isSignedBy(top, top, search.budget))) {
    end("unknown_authority", top, unknownIssuer(top));
  } else {
    const message = `no known issuer of ${describeCertificate(top)} has the key that signed it`;
    end("bad_signature", top, message);
  }
}

/** Each once, without those that are anchors. */
function unique({ intermediates, trust }: PathSearch): readonly Certificate[] {
  if (intermediates.length === 0) return intermediates;
  const others = intermediates.filter((certificate) => !trust.has(certificate));
  return [...new Map(others.map((certificate) => [certificate.sha256, certificate])).values()];
}

/** Certificates named like the issuer of `top`, the most promising first, in an order that depends on them only. */
function candidates(
  top: Certificate,
  path: readonly Certificate[],
  search: PathSearch,
): readonly Certificate[] {
  const name = keyOfName(top.issuer);
  const found = anchorsNamed(search.trust, top.issuer).concat(
    search.intermediates.filter((certificate) => keyOfName(certificate.subject) === name),
  );
  const fresh = found.filter((certificate) => !path.some((used) => isSameAuthority(used, certificate)));
  if (fresh.length < 2) return fresh;
  return fresh
    .map((certificate) => ({ certificate, rank: rank(top, certificate, search) }))
    .sort((a, b) => a.rank - b.rank || (a.certificate.sha256 < b.certificate.sha256 ? -1 : 1))
    .map(({ certificate }) => certificate);
}

/** The same name with the same key never helps a second time, whatever else the certificates say. */
function isSameAuthority(a: Certificate, b: Certificate): boolean {
  return (
    Buffer.compare(a.subjectPublicKeyInfo, b.subjectPublicKeyInfo) === 0 &&
    keyOfName(a.subject) === keyOfName(b.subject)
  );
}

const OTHER_KEY = 2;

/** Key identifiers order the search and no more (RFC 5280 4.2.1.1): the signature decides. */
function rank(top: Certificate, issuer: Certificate, { trust, now }: PathSearch): number {
  const current = issuer.notBefore <= now && now <= issuer.notAfter;
  return keyIdentifierRank(top, issuer) * 4 + (current ? 0 : 2) + (trust.has(issuer) ? 0 : 1);
}

function keyIdentifierRank({ authorityKeyIdentifier: wanted }: Certificate, issuer: Certificate): number {
  if (wanted === undefined) return 1;
  if (wanted.serialNumber !== undefined && wanted.serialNumber !== issuer.serialNumber) return OTHER_KEY;
  if (wanted.keyIdentifier === undefined || issuer.subjectKeyIdentifier === undefined) return 1;
  return wanted.keyIdentifier === issuer.subjectKeyIdentifier ? 0 : OTHER_KEY;
}

function unknownIssuer(top: Certificate): string {
  return isSelfIssued(top)
    ? `${describeCertificate(top)} is self-signed and not in the trust bundle`
    : `issuer of ${describeCertificate(top)} is not known`;
}

const TELLING: readonly PathFailureCode[] = ["limit", "weak_key", "bad_signature", "unknown_authority"];

/** A search cut short says so; then what was found wrong beats what was not found, and the longest path wins. */
function mostTelling(leaf: Certificate, deadEnds: readonly DeadEnd[], budget: SignatureBudget): PathFailure {
  if (budget.left <= 0) {
    const message = `no path for ${describeCertificate(leaf)} within ${MAX_SIGNATURE_CHECKS} signature checks`;
    return pathFailure("limit", leaf, message);
  }
  const [best] = [...deadEnds].sort(
    (a, b) =>
      TELLING.indexOf(a.failure.code) - TELLING.indexOf(b.failure.code) ||
      b.depth - a.depth ||
      (a.failure.certificate.sha256 < b.failure.certificate.sha256 ? -1 : 1),
  );
  return best?.failure ?? pathFailure("unknown_authority", leaf, unknownIssuer(leaf));
}
