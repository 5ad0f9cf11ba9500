import type { Certificate, TrustBundle } from "@newleaf/x509";
import { parseDerCertificates } from "./internal/der-certificates.ts";

/**
 * The authorities of each trust domain, by the domain's NAME (`example.org`). They are never merged: one domain's
 * authorities say nothing about another's members. An absent or empty bundle trusts nobody.
 */
export type X509Bundles = ReadonlyMap<string, TrustBundle>;

const AUTHORITY_LIMITS = { maxBytes: 1024 * 1024, maxCertificates: 1000 };

/**
 * The authorities of a trust domain as the Workload API sends them: DER certificates one after the other, perhaps
 * none. Throws ERR_SPIFFE_BUNDLE, also if only one cannot be read, so that none is lost silently.
 */
export function parseX509Authorities(der: Uint8Array): readonly Certificate[] {
  return parseDerCertificates(der, "ERR_SPIFFE_BUNDLE", "X.509 bundle", AUTHORITY_LIMITS);
}
