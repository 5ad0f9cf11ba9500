import { createHash, type KeyObject } from "node:crypto";
import type { SecureContext } from "node:tls";
import {
  type Certificate,
  type CertificateRevocationList,
  formatName,
  type TrustBundle,
} from "@newleaf/x509";
import { type PeerTrust, trustNobody } from "./peer-trust.ts";
import { createGenerationContext } from "./secure-context.ts";

/** What the gate lets through: everything parsed, checked, and in the order in which it is served. */
export interface CheckedIdentity {
  readonly leaf: Certificate;
  /** The intermediates, each issued by the next. */
  readonly chain: readonly Certificate[];
  readonly key: KeyObject;
  readonly trust: TrustBundle;
  readonly crls: readonly CertificateRevocationList[];
  /** Who vouches for peers; undefined: `trust` does, for everyone. */
  readonly peerTrust: PeerTrust | undefined;
}

/**
 * One identity at one moment: key, chain, trust and revocation lists as one frozen snapshot, swapped at once and
 * never changed. A process counts its generations from 1, one for each accepted update.
 */
export interface Generation extends CheckedIdentity {
  readonly number: number;
  /**
   * Why the identity was taken away, if it was: it is shown to nobody and nobody is trusted with it, until the source
   * has another.
   */
  readonly withdrawn: string | undefined;
  /** Equal for equal contents (leaf, chain, trust, revocation lists), also between replicas: lower-case hex. */
  readonly contentSha256: string;
  /** The first URI name, else the first DNS name, IP address, common name, or the whole subject. */
  readonly identity: string;
  /** The latest notBefore of leaf and chain. */
  readonly notBefore: Date;
  /** The earliest notAfter of leaf and chain. */
  readonly notAfter: Date;
  /** When the source first saw this update. */
  readonly deliveredAt: Date;
  /** When the gate let it through. */
  readonly verifiedAt: Date;
  /** For TLS 1.3 in both directions; made on first use, one for each generation, with ticket keys of its own. */
  readonly secureContext: SecureContext;
}

/** Freezes a checked identity into a generation. */
export function createGeneration(
  checked: CheckedIdentity,
  about: {
    readonly number: number;
    readonly deliveredAt: Date;
    readonly verifiedAt: Date;
    readonly withdrawn?: string;
  },
): Generation {
  const { leaf, chain, key, trust, crls, peerTrust } = checked;
  const served = [leaf, ...chain];
  let context: SecureContext | undefined;
  const generation: Generation = {
    number: about.number,
    leaf,
    chain: Object.freeze([...chain]),
    key,
    trust,
    crls: Object.freeze([...crls]),
    peerTrust,
    withdrawn: about.withdrawn,
    contentSha256: contentSha256(checked),
    identity: identityOf(leaf),
    notBefore: new Date(Math.max(...served.map((certificate) => certificate.notBefore.getTime()))),
    notAfter: new Date(Math.min(...served.map((certificate) => certificate.notAfter.getTime()))),
    deliveredAt: about.deliveredAt,
    verifiedAt: about.verifiedAt,
    get secureContext(): SecureContext {
      context ??= createGenerationContext(generation);
      return context;
    },
  };
  return Object.freeze(generation);
}

/**
 * What makes two identities the same content. The key needs no place in it: the gate has seen that it belongs to
 * the leaf, so an equal leaf means an equal key. The order of trust bundle and revocation lists does not count.
 */
export function contentSha256({ leaf, chain, trust, crls, peerTrust }: CheckedIdentity): string {
  const parts = [
    [leaf, ...chain].map((certificate) => certificate.sha256),
    [trust.sha256],
    crls.map((crl) => crl.sha256).sort(),
    ...(peerTrust ? [[peerTrust.sha256]] : []),
  ];
  return createHash("sha256")
    .update(parts.map((part) => part.join(",")).join(";"))
    .digest("hex");
}

/** The same identity, shown to nobody and trusting nobody: what is left when a source takes its identity away. */
export function withdrawGeneration(from: Generation, reason: string, at: Date): Generation {
  const peerTrust = trustNobody({
    code: "identity_withdrawn",
    message: `our own identity was withdrawn: ${reason}`,
  });
  const about = { number: from.number + 1, deliveredAt: at, verifiedAt: at, withdrawn: reason };
  return createGeneration({ ...from, peerTrust }, about);
}

/** The name that people know a certificate by: first URI, else DNS name, IP address, common name, whole subject. */
export function identityOf(leaf: Certificate): string {
  for (const type of ["uri", "dns", "ip"] as const) {
    const name = leaf.subjectAltNames.find((candidate) => candidate.type === type);
    if (name && "value" in name) return name.value;
  }
  return leaf.subject.commonName ?? formatName(leaf.subject);
}
