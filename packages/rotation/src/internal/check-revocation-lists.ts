import {
  type Certificate,
  type CertificateRevocationList,
  namesEqual,
  verifySignature,
  X509Error,
} from "@newleaf/x509";
import type { CheckedIdentity } from "../generation.ts";
import type { MaterialNames } from "../identity-material.ts";
import { describe, type Problem, problem } from "./problem.ts";

/**
 * Complete and fresh: a current list for every authority of trust bundle and chain, since a peer may come from any
 * of them, and one missing list refuses all of that authority's peers (RFC 5280 section 6.3).
 */
export function checkRevocationLists(
  { chain, trust, crls }: CheckedIdentity,
  names: MaterialNames,
  now: Date,
): Problem | undefined {
  const authorities = [...trust.certificates, ...chain].filter(
    (certificate) => isAuthority(certificate) && now <= certificate.notAfter,
  );
  for (const authority of authorities) {
    const own = crls.filter((crl) => isIssuedBy(crl, authority));
    const who = describe(authority);
    if (own.length === 0) return problem("crl_missing", `${names.crl} has none issued by ${who}`);
    const started = own.filter((crl) => crl.thisUpdate <= now);
    if (started.length === 0) {
      const from = new Date(Math.min(...own.map((crl) => crl.thisUpdate.getTime())));
      return problem("bad_crl", `${names.crl} by ${who} is not valid before ${from.toISOString()}`, from);
    }
    if (!started.some((crl) => !crl.nextUpdate || now <= crl.nextUpdate)) {
      return problem("crl_expired", `${names.crl} by ${who} expired at ${latestUpdate(started)}`);
    }
  }
  return undefined;
}

// Version 1 roots have no extensions to say it with.
function isAuthority({ basicConstraints, version }: Certificate): boolean {
  return basicConstraints?.cA ?? version === 1;
}

function latestUpdate(crls: readonly CertificateRevocationList[]): string {
  return new Date(Math.max(...crls.map((crl) => crl.nextUpdate?.getTime() ?? 0))).toISOString();
}

function isIssuedBy(crl: CertificateRevocationList, authority: Certificate): boolean {
  if (!namesEqual(crl.issuer, authority.subject)) return false;
  try {
    return verifySignature(crl.tbs, crl.signatureAlgorithm, crl.signature, authority.publicKey);
  } catch (error) {
    if (error instanceof X509Error) return false;
    throw error;
  }
}
