/**
 * X.509 for programs that must know what they accept: strict DER, PEM, certificates, trust bundles, path
 * validation (RFC 5280), revocation lists, and an issuer for tests and private authorities. No dependencies; keys
 * and signatures are those of node:crypto. The DER reader and writer are in `@newleaf/x509/asn1`.
 *
 * ```ts
 * import { createRoot, createTrustBundle, generateKey, issueCertificate } from "@newleaf/x509";
 *
 * const hour = 60 * 60 * 1000;
 * const root = createRoot({ subject: "CN=shop root", notAfter: new Date(Date.now() + 24 * hour) });
 * const { publicKey } = generateKey();
 * const leaf = issueCertificate(root, publicKey, {
 *   subject: "CN=backend",
 *   dnsNames: ["backend.shop.svc"],
 *   notAfter: new Date(Date.now() + hour),
 * });
 * console.log(leaf.sha256, createTrustBundle([root.certificate]).has(leaf));
 * ```
 *
 * @module
 */
export {
  type AlgorithmIdentifier,
  describeSignatureAlgorithm,
  type HashName,
  type SignatureAlgorithm,
} from "./algorithm.ts";
export {
  CERTIFICATE_LIMITS,
  type Certificate,
  encodeCertificates,
  parseCertificate,
  parseCertificates,
} from "./certificate.ts";
export {
  type CertificateRevocationList,
  CRL_LIMITS,
  encodeCrls,
  parseCrl,
  parseCrls,
  type Revocation,
  type RevocationReason,
} from "./crl.ts";
export { type IssueCrlOptions, issueCrl, type RevokedCertificate } from "./crl-issue.ts";
export {
  type CertificateRequest,
  createCsr,
  encodeCsr,
  parseCsr,
  type RequestOptions,
  verifyCsr,
} from "./csr.ts";
export type { DerLimits } from "./der.ts";
export { X509Error, type X509ErrorCode } from "./error.ts";
export { EXTENSION, type Extension } from "./extension.ts";
export type { GeneralName, GeneralSubtree } from "./general-name.ts";
export { generateKey, type KeyAlgorithm } from "./generate-key.ts";
export { formatIpAddress, parseIpAddress } from "./ip-address.ts";
export {
  type Authority,
  type AuthorityOptions,
  createRoot,
  type IssueOptions,
  issueCertificate,
  issueIntermediate,
} from "./issue.ts";
export { keyMatchesCertificate, parsePkcs8, parsePrivateKey } from "./key.ts";
export { keyIdentifierOf } from "./key-identifier.ts";
export { EKU, KEY_USAGES, type KeyUsage } from "./key-usage.ts";
export {
  ATTRIBUTE,
  type DistinguishedName,
  formatName,
  type NameAttribute,
  nameKey,
  namesEqual,
} from "./name.ts";
export { encodeName } from "./name-writer.ts";
export { type PathOptions, type PathPurpose, type PathResult, validatePath } from "./path.ts";
export type { PathFailure, PathFailureCode } from "./path-failure.ts";
export { encodePem, type PemBlock, parsePem } from "./pem.ts";
export { verifySignature } from "./signature.ts";
export type {
  AuthorityKeyIdentifier,
  BasicConstraints,
  NameConstraints,
} from "./standard-extensions.ts";
export { createTrustBundle, diffTrustBundles, type TrustBundle } from "./trust-bundle.ts";
export { WARNINGS, type WarningCode, type X509Warning } from "./warning.ts";
