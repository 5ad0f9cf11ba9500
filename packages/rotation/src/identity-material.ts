import type { KeyObject } from "node:crypto";
import type { Certificate, CertificateRevocationList, TrustBundle } from "@newleaf/x509";
import type { PeerTrust } from "./peer-trust.ts";

/** An identity as it arrives: PEM text, DER, or parsed already. */
export interface IdentityMaterial {
  /** The leaf and its intermediates. Private keys in the same text are skipped. */
  readonly certificates: string | Uint8Array | readonly Certificate[];
  /** PKCS#8, SEC1 or PKCS#1, not encrypted. */
  readonly key: string | Uint8Array | KeyObject;
  readonly trust: string | Uint8Array | readonly Certificate[] | TrustBundle;
  /** Given at all: a fresh list for every authority is demanded. */
  readonly crls?: string | Uint8Array | readonly CertificateRevocationList[];
  /** Who vouches for peers, if not `trust`. */
  readonly peerTrust?: PeerTrust;
}

/** What messages call each part. */
export interface MaterialNames {
  readonly certificate: string;
  readonly key: string;
  readonly trust: string;
  readonly crl: string;
}
