import { createPublicKey, type KeyObject } from "node:crypto";
import { type Certificate, parseCertificate } from "./certificate.ts";
import type { Extension } from "./extension.ts";
import type { GeneralName } from "./general-name.ts";
import { generateKey, type KeyAlgorithm } from "./generate-key.ts";
import { writeCertificate } from "./internal/certificate-writer.ts";
import { keyIdentifierOf } from "./key-identifier.ts";
import type { KeyUsage } from "./key-usage.ts";
import { encodeName } from "./name-writer.ts";

/** A CA that can sign: its certificate and the private key to it. */
export interface Authority {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

/** What to put into a certificate. Everything but `subject` and `notAfter` has a default. */
export interface IssueOptions {
  /** RFC 4514, most specific part first: `CN=backend,O=Shop`; may be "" when there are alternative names. */
  readonly subject: string;
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  readonly ips?: readonly string[];
  readonly emails?: readonly string[];
  /** Alternative names of other forms, after those above. */
  readonly otherNames?: readonly GeneralName[];
  /** Default: one minute ago, for peers whose clock is behind. */
  readonly notBefore?: Date;
  readonly notAfter: Date;
  /** Default: digitalSignature; for a CA keyCertSign and cRLSign. null leaves the extension out. */
  readonly keyUsage?: readonly KeyUsage[] | null;
  /** Object identifiers, see `EKU`. Default: clientAuth and serverAuth; for a CA none. null leaves it out. */
  readonly extendedKeyUsage?: readonly string[] | null;
  /** Hex, positive, at most 20 octets. Default: 20 random octets. */
  readonly serialNumber?: string;
  readonly isCa?: boolean;
  readonly pathLength?: number;
  /** The value of an IP name is a range: `10.0.0.0/8`. */
  readonly nameConstraints?: {
    readonly permitted?: readonly GeneralName[];
    readonly excluded?: readonly GeneralName[];
  };
  /** URIs. */
  readonly crlDistributionPoints?: readonly string[];
  /** Added at the end, as they are. */
  readonly extraExtensions?: readonly Extension[];
  /** Object identifiers of extensions to leave out, see `EXTENSION`. */
  readonly omitExtensions?: readonly string[];
}

/** What a new authority needs: a `key`, or one is made by `algorithm` (default ECDSA P-256). */
export interface AuthorityOptions extends IssueOptions {
  readonly key?: KeyObject;
  readonly algorithm?: KeyAlgorithm;
}

/** A self-signed root: cA, keyCertSign and cRLSign, subject key identifier. */
export function createRoot(options: AuthorityOptions): Authority {
  const key = options.key ?? generateKey(options.algorithm).privateKey;
  const publicKey = createPublicKey(key);
  const issuer = { name: encodeName(options.subject), key, keyIdentifier: undefined };
  return {
    certificate: parseCertificate(writeCertificate(issuer, publicKey, { isCa: true, ...options })),
    key,
  };
}

/** A CA below `authority`. */
export function issueIntermediate(authority: Authority, options: AuthorityOptions): Authority {
  const key = options.key ?? generateKey(options.algorithm).privateKey;
  return { certificate: issueCertificate(authority, createPublicKey(key), { isCa: true, ...options }), key };
}

/**
 * A certificate for `publicKey`: a leaf unless `isCa`. The options are carried out, not judged; whether the
 * result is valid under `authority` is for path validation to say.
 */
export function issueCertificate(
  authority: Authority,
  publicKey: KeyObject,
  options: IssueOptions,
): Certificate {
  const { certificate, key } = authority;
  const keyIdentifier = certificate.subjectKeyIdentifier ?? keyIdentifierOf(certificate.subjectPublicKeyInfo);
  const issuer = { name: certificate.subject.der, key, keyIdentifier };
  return parseCertificate(writeCertificate(issuer, publicKey, options));
}
