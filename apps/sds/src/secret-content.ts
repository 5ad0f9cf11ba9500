import { createHash, type KeyObject } from "node:crypto";
import type { Certificate, CertificateRevocationList } from "@newleaf/x509";
import type { SanMatcher } from "./san-matcher.ts";

/** What a secret says, before it is encoded. */
export type SecretContent = CertificateContent | AnchorsContent | TrustDomainsContent;

/** A certificate to show, with its key. */
export interface CertificateContent {
  readonly kind: "certificate";
  /** Leaf first. */
  readonly chain: readonly Certificate[];
  readonly key: KeyObject;
}

/** Whom to trust: one set of authorities for everyone. */
export interface AnchorsContent {
  readonly kind: "anchors";
  readonly anchors: readonly Certificate[];
  /** Given at all, Envoy demands one of every authority in a chain. */
  readonly crls: readonly CertificateRevocationList[];
  readonly sans: readonly SanMatcher[];
}

/** Whom to trust: each SPIFFE trust domain by its own authorities. Envoy checks no revocation lists here. */
export interface TrustDomainsContent {
  readonly kind: "trust-domains";
  /** Authorities by the domain's name; none of them empty. */
  readonly domains: ReadonlyMap<string, readonly Certificate[]>;
  readonly sans: readonly SanMatcher[];
}

/**
 * Equal for equal contents, in every process: lower-case hex. The key needs no place in it, because it belongs to the
 * leaf; the order of authorities and lists counts for nothing.
 */
export function contentVersion(content: SecretContent): string {
  const hash = createHash("sha256");
  for (const part of partsOf(content)) hash.update(part).update("\n");
  return hash.digest("hex").slice(0, 32);
}

function partsOf(content: SecretContent): readonly string[] {
  switch (content.kind) {
    case "certificate":
      return ["certificate", ...content.chain.map(({ sha256 }) => sha256)];
    case "anchors":
      return [
        "anchors",
        ...fingerprints(content.anchors),
        "crls",
        ...fingerprints(content.crls),
        ...sansOf(content.sans),
      ];
    case "trust-domains":
      return [
        "trust domains",
        ...[...content.domains].map(([name, anchors]) => `${name} ${fingerprints(anchors).join()}`).sort(),
        ...sansOf(content.sans),
      ];
  }
}

function fingerprints(of: readonly { readonly sha256: string }[]): readonly string[] {
  return of.map(({ sha256 }) => sha256).sort();
}

function sansOf(sans: readonly SanMatcher[]): readonly string[] {
  return ["sans", ...sans.map((san) => JSON.stringify([san.type, san.how, san.value])).sort()];
}
