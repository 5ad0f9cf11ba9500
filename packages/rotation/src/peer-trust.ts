import type { Certificate, CertificateRevocationList, TrustBundle } from "@newleaf/x509";

/**
 * Which anchors vouch for a peer, where that depends on the peer: with SPIFFE it is the bundle of the peer's own
 * trust domain and no other. A generation without one verifies everyone to its own trust bundle.
 */
export interface PeerTrust {
  /** Equal for equal contents: lower-case hex. */
  readonly sha256: string;
  /** The anchors of everyone, once each: what OpenSSL is given, as the outer of two checks. */
  readonly certificates: readonly Certificate[];
  /** The revocation lists that peers are checked by, if not those of the identity. Part of `sha256`. */
  readonly crls?: readonly CertificateRevocationList[];
  /** Pure: the same leaf, the same answer. */
  select(leaf: Certificate): TrustBundle | PeerTrustObjection;
  /** What speaks against a path that is valid by RFC 5280, leaf first, anchor last. Pure. */
  objection(path: readonly Certificate[]): PeerTrustObjection | undefined;
}

/** Why no anchor can vouch for a peer, as its rejection says it. */
export interface PeerTrustObjection {
  readonly code: "unknown_authority" | "not_svid" | "identity_withdrawn";
  readonly message: string;
}

/** Trusts everyone by one bundle. */
export function trustByBundle(bundle: TrustBundle): PeerTrust {
  return Object.freeze({
    sha256: bundle.sha256,
    certificates: bundle.certificates,
    select: () => bundle,
    objection: () => undefined,
  });
}

/** Trusts nobody. */
export function trustNobody({ code, message }: PeerTrustObjection): PeerTrust {
  const objection: PeerTrustObjection = Object.freeze({ code, message });
  return Object.freeze({
    sha256: "",
    certificates: Object.freeze([]),
    select: () => objection,
    objection: () => objection,
  });
}
