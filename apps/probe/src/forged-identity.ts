import type { KeyObject } from "node:crypto";
import {
  type Authority,
  type Certificate,
  createRoot,
  encodeCertificates,
  formatName,
  generateKey,
  type IssueOptions,
  issueCertificate,
} from "@newleaf/x509";

/** A certificate with its key in the form that `tls.connect` takes. */
export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

/** The names that a forged certificate carries: those of someone who would be let in, as far as they are known. */
export interface Names {
  readonly subject: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
}

export const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** The names of a certificate, for one that wants to pass as it. */
export function namesOf(certificate: Certificate): Names {
  const values = (type: "dns" | "uri"): string[] =>
    certificate.subjectAltNames.flatMap((name) =>
      name.type === type && "value" in name ? [name.value] : [],
    );
  return { subject: formatName(certificate.subject), dnsNames: values("dns"), uris: values("uri") };
}

/** Has `authority` sign a leaf with these names and a fresh key. */
export function forge(authority: Authority, names: Names, options: Partial<IssueOptions> = {}): Credentials {
  const { privateKey, publicKey } = generateKey();
  const now = Date.now();
  const leaf = issueCertificate(authority, publicKey, {
    subject: names.subject,
    dnsNames: names.dnsNames,
    uris: names.uris,
    notBefore: new Date(now - MINUTE_MS),
    notAfter: new Date(now + HOUR_MS),
    ...options,
  });
  return credentials([leaf], privateKey);
}

/** A root that nobody trusts, named as one likes. */
export function foreignAuthority(subject: string): Authority {
  const now = Date.now();
  return createRoot({
    subject,
    notBefore: new Date(now - 2 * HOUR_MS),
    notAfter: new Date(now + 24 * HOUR_MS),
  });
}

export function credentials(chain: readonly Certificate[], key: KeyObject): Credentials {
  return { cert: encodeCertificates(chain), key: key.export({ type: "pkcs8", format: "pem" }).toString() };
}
