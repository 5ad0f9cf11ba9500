import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import type { Certificate } from "../certificate.ts";
import type { CertificateRevocationList } from "../crl.ts";
import { X509Error } from "../error.ts";
import { verifySignature } from "../signature.ts";

/** How many signatures one validation may still ask about. Go allows 100 as well; real paths need under ten. */
export interface SignatureBudget {
  left: number;
}

export const MAX_SIGNATURE_CHECKS = 100;

// The key (as SPKI octets) that a signature was found to be good with. Certificates and lists are immutable, so
// the answer never changes; only successes are kept, one per object, so nothing hostile can make it grow. It is
// what makes revocation lists and a peer's repeated intermediates cheap.
const proven = new WeakMap<Certificate | CertificateRevocationList, Uint8Array>();

/**
 * Whether the issuer's key made the signature of a certificate or revocation list. Every question costs one of
 * the budget, remembered answers included, so that it bounds the search too; without budget the answer is no.
 */
export function isSignedBy(
  signed: Certificate | CertificateRevocationList,
  issuer: Certificate,
  budget: SignatureBudget,
): boolean {
  if (budget.left <= 0) return false;
  budget.left--;
  const spki = issuer.subjectPublicKeyInfo;
  const known = proven.get(signed);
  if (known !== undefined && Buffer.compare(known, spki) === 0) return true;
  // RFC 5280 4.1.1.2: the identifier that was not signed must be the one that was.
  if (signed.warnings.some(({ code }) => code === "algorithm_mismatch")) return false;
  const key = usableKey(issuer);
  if (key === undefined || !verifySignature(signed.tbs, signed.signatureAlgorithm, signed.signature, key)) {
    return false;
  }
  proven.set(signed, spki);
  return true;
}

function usableKey(issuer: Certificate): KeyObject | undefined {
  try {
    return issuer.publicKey;
  } catch (error) {
    if (error instanceof X509Error) return undefined;
    throw error;
  }
}
