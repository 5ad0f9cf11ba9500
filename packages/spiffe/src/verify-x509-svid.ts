import {
  type Certificate,
  type CertificateRevocationList,
  type PathFailureCode,
  type PathPurpose,
  type TrustBundle,
  validatePath,
} from "@newleaf/x509";
import { checkSvidLeaf, signingPathProblem } from "./internal/svid-rules.ts";
import type { SpiffeId, TrustDomain } from "./spiffe-id.ts";
import type { X509Bundles } from "./x509-bundle.ts";

export type X509SvidVerdict =
  | {
      readonly ok: true;
      readonly id: SpiffeId;
      /** From the leaf to the anchor, both included. */
      readonly path: readonly Certificate[];
      /** The earliest notAfter on the path, or nextUpdate of a revocation list used for it. */
      readonly validUntil: Date;
    }
  | {
      readonly ok: false;
      /** `not_svid`: not an X509-SVID, whoever signed it. `unknown_authority`: also when there is no bundle. */
      readonly code: PathFailureCode | "not_svid";
      readonly message: string;
    };

export interface VerifyX509SvidOptions {
  readonly now: Date;
  /** What the peer is to be good for: "clientAuth" for who connects to us, "serverAuth" for whom we connect to. */
  readonly purpose: PathPurpose;
  /** Not empty: every certificate below the anchor needs a current list of its issuer. */
  readonly crls?: readonly CertificateRevocationList[];
}

/**
 * Whether the chain a peer has shown, leaf first, is an X509-SVID of the trust domain that it names (X509-SVID
 * section 5): its own rules, then an RFC 5280 path to the bundle of that domain and no other. Pure; a refusal is a
 * value. That the peer holds the key is for TLS to prove.
 */
export function verifyX509Svid(
  chain: readonly Certificate[],
  bundles: X509Bundles,
  options: VerifyX509SvidOptions,
): X509SvidVerdict {
  const [leaf, ...intermediates] = chain;
  if (leaf === undefined) return { ok: false, code: "not_svid", message: "there is no certificate" };
  const svid = checkSvidLeaf(leaf);
  if (!svid.ok) return { ok: false, code: "not_svid", message: svid.message };
  const bundle = bundleOf(svid.id.trustDomain, bundles);
  if ("code" in bundle) return { ok: false, ...bundle };
  const result = validatePath(leaf, bundle, { ...options, intermediates });
  if (!result.ok) return { ok: false, code: result.code, message: result.message };
  const problem = signingPathProblem(result.path);
  if (problem !== undefined) return { ok: false, code: "not_svid", message: problem };
  return { ok: true, id: svid.id, path: result.path, validUntil: result.validUntil };
}

/** The anchors for members of a trust domain. */
export function bundleOf(
  trustDomain: TrustDomain,
  bundles: X509Bundles,
): TrustBundle | { readonly code: "unknown_authority"; readonly message: string } {
  const bundle = bundles.get(trustDomain.name);
  if (bundle !== undefined && bundle.certificates.length > 0) return bundle;
  const state = bundle === undefined ? "is no bundle" : "is only an empty bundle";
  return { code: "unknown_authority", message: `there ${state} of the trust domain ${trustDomain}` };
}
