import type { KeyObject } from "node:crypto";
import { type Certificate, keyMatchesCertificate, parsePkcs8, X509Error } from "@newleaf/x509";
import { SpiffeError } from "./error.ts";
import { parseDerCertificates } from "./internal/der-certificates.ts";
import { checkSvidLeaf, signingCertificateProblem } from "./internal/svid-rules.ts";
import type { SpiffeId } from "./spiffe-id.ts";

/** An identity with its key (X509-SVID section 3.1). Frozen. Nothing is verified to a bundle yet. */
export interface X509Svid {
  readonly id: SpiffeId;
  /** The leaf, then its intermediates. */
  readonly certificates: readonly Certificate[];
  readonly key: KeyObject;
  /** What the Workload API says the SVID is for; "" when it says nothing. */
  readonly hint: string;
}

const CHAIN_LIMITS = { maxBytes: 256 * 1024, maxCertificates: 16 };

/**
 * An SVID as the Workload API delivers it: `certificates` is DER one after the other, leaf first, `key` is PKCS#8.
 * With `id`, the certificate must be for it. Throws ERR_SPIFFE_X509_SVID for whatever is not an X509-SVID; validity
 * in time is not looked at.
 */
export function parseX509Svid(parts: {
  readonly certificates: Uint8Array;
  readonly key: Uint8Array;
  readonly hint?: string;
  readonly id?: SpiffeId | string;
}): X509Svid {
  const certificates = parseDerCertificates(
    parts.certificates,
    "ERR_SPIFFE_X509_SVID",
    "X509-SVID",
    CHAIN_LIMITS,
  );
  const [leaf, ...intermediates] = certificates;
  if (leaf === undefined) throw invalid("there is no certificate");
  const verdict = checkSvidLeaf(leaf);
  if (!verdict.ok) throw invalid(verdict.message);
  const { id } = verdict;
  if (parts.id !== undefined && `${parts.id}` !== `${id}`) {
    throw invalid(`the certificate is for ${id}, not for the ID that it was sent with`);
  }
  for (const intermediate of intermediates) {
    const problem = intermediateProblem(intermediate);
    if (problem !== undefined) throw invalid(`${id}: ${problem}`);
  }
  const key = readKey(id, parts.key, leaf);
  return Object.freeze({ id, certificates, key, hint: parts.hint ?? "" });
}

function intermediateProblem(certificate: Certificate): string | undefined {
  const { basicConstraints, keyUsage } = certificate;
  if (basicConstraints?.cA !== true) return "an intermediate certificate is not that of a CA";
  if (keyUsage?.has("keyCertSign") !== true) return "the key usage of an intermediate lacks keyCertSign";
  return signingCertificateProblem(certificate);
}

function readKey(id: SpiffeId, pkcs8: Uint8Array, leaf: Certificate): KeyObject {
  try {
    const key = parsePkcs8(pkcs8);
    if (keyMatchesCertificate(key, leaf)) return key;
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    throw new SpiffeError("ERR_SPIFFE_X509_SVID", `X509-SVID: ${id}: ${cause.message}`, { cause });
  }
  throw invalid(`${id}: the private key is not that of the certificate`);
}

function invalid(why: string): SpiffeError {
  return new SpiffeError("ERR_SPIFFE_X509_SVID", `X509-SVID: ${why}`);
}
