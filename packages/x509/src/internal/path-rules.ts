import { describeSignatureAlgorithm } from "../algorithm.ts";
import type { Certificate } from "../certificate.ts";
import { EXTENSION } from "../extension.ts";
import { EKU } from "../key-usage.ts";
import { type PathFailure, pathFailure } from "../path-failure.ts";
import { describeCertificate } from "./describe-certificate.ts";
import { keyWeakness } from "./key-strength.ts";
import { isSelfIssued } from "./name-index.ts";

export type PathPurpose = "clientAuth" | "serverAuth" | "any";

/**
 * The rules of RFC 5280 6.1 that look at one certificate of the path at a time, from the leaf up to the anchor;
 * the first one broken is the answer. Names and signatures are chained already.
 */
export function checkCertificates(
  path: readonly Certificate[],
  purpose: PathPurpose,
  now: Date,
): PathFailure | undefined {
  let intermediates = 0;
  for (const [depth, certificate] of path.entries()) {
    const isAnchor = depth === path.length - 1;
    const failure =
      checkValidity(certificate, now) ??
      (depth === 0 ? checkLeaf(certificate) : checkAuthority(certificate, isAnchor, intermediates)) ??
      checkExtendedKeyUsage(certificate, purpose) ??
      checkCriticalExtensions(certificate) ??
      checkStrength(certificate, isAnchor);
    if (failure !== undefined) return failure;
    if (depth > 0 && !isSelfIssued(certificate)) intermediates++;
  }
  return undefined;
}

/** RFC 5280 4.1.2.5: both ends belong to the period. Written so that an invalid `now` fails. */
function checkValidity(certificate: Certificate, now: Date): PathFailure | undefined {
  const { notBefore, notAfter } = certificate;
  if (now <= notAfter && now >= notBefore) return undefined;
  const name = describeCertificate(certificate);
  return now > notAfter
    ? pathFailure("expired", certificate, `${name} expired at ${notAfter.toISOString()}`)
    : pathFailure("not_yet_valid", certificate, `${name} is not valid before ${notBefore.toISOString()}`);
}

/** A TLS peer signs the handshake with this key, and with nothing that may issue certificates. */
function checkLeaf(certificate: Certificate): PathFailure | undefined {
  const { basicConstraints, keyUsage } = certificate;
  if (basicConstraints?.cA === true) {
    const message = `${describeCertificate(certificate)} is a CA certificate, which must not be used as a leaf`;
    return pathFailure("ca_as_leaf", certificate, message);
  }
  if (keyUsage !== undefined && !keyUsage.has("digitalSignature")) {
    const message = `key usage of ${describeCertificate(certificate)} lacks digitalSignature`;
    return pathFailure("key_usage", certificate, message);
  }
  return undefined;
}

/** RFC 5280 6.1.4 k to n, applied to the anchor as well. */
function checkAuthority(
  certificate: Certificate,
  isAnchor: boolean,
  intermediates: number,
): PathFailure | undefined {
  const { basicConstraints, keyUsage } = certificate;
  const name = describeCertificate(certificate);
  if (!mayBeAuthority(certificate, isAnchor)) {
    return pathFailure("not_a_ca", certificate, `${name} issued a certificate but is not a CA`);
  }
  if (keyUsage !== undefined && !keyUsage.has("keyCertSign")) {
    return pathFailure("key_usage", certificate, `key usage of ${name} lacks keyCertSign`);
  }
  const limit = basicConstraints?.pathLength;
  if (limit !== undefined && intermediates > limit) {
    const message = `${name} allows ${limit} intermediates below it, the path has ${intermediates}`;
    return pathFailure("path_length", certificate, message);
  }
  return undefined;
}

/** Version 1 cannot say that it is a CA; as in OpenSSL only a self-signed anchor is believed without saying so. */
function mayBeAuthority(certificate: Certificate, isAnchor: boolean): boolean {
  const { version, extensions, basicConstraints } = certificate;
  if (version === 3) return basicConstraints?.cA === true;
  return isAnchor && version === 1 && extensions.length === 0 && isSelfIssued(certificate);
}

const PURPOSE_OID = { clientAuth: EKU.clientAuth, serverAuth: EKU.serverAuth } as const;

/** RFC 5280 4.2.1.12; in a CA certificate it limits what is below, as every TLS implementation has it. */
function checkExtendedKeyUsage(certificate: Certificate, purpose: PathPurpose): PathFailure | undefined {
  const allowed = certificate.extendedKeyUsage;
  if (purpose === "any" || allowed === undefined) return undefined;
  if (allowed.includes(PURPOSE_OID[purpose]) || allowed.includes(EKU.any)) return undefined;
  const message = `extended key usage of ${describeCertificate(certificate)} does not include ${purpose}`;
  return pathFailure("wrong_usage", certificate, message);
}

const PROCESSED: ReadonlySet<string> = new Set([
  EXTENSION.subjectKeyIdentifier,
  EXTENSION.authorityKeyIdentifier,
  EXTENSION.keyUsage,
  EXTENSION.extendedKeyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.basicConstraints,
  EXTENSION.nameConstraints,
  EXTENSION.crlDistributionPoints,
  // Policies: any policy will do and none is asked for, so certificatePolicies, policyMappings, policyConstraints
  // and inhibitAnyPolicy change nothing. `openssl verify` does the same unless -policy_check is given.
  "2.5.29.32",
  "2.5.29.33",
  "2.5.29.36",
  "2.5.29.54",
]);

/** RFC 5280 4.2, 6.1.4 o and 6.1.5 f. */
function checkCriticalExtensions(certificate: Certificate): PathFailure | undefined {
  const unknown = certificate.extensions.find(({ oid, critical }) => critical && !PROCESSED.has(oid));
  if (unknown === undefined) return undefined;
  const message = `${describeCertificate(certificate)} has the unknown critical extension ${unknown.oid}`;
  return pathFailure("unknown_critical_extension", certificate, message);
}

/** OpenSSL's security level 2. An anchor is trusted by name and key, so nothing hangs on its own signature. */
function checkStrength(certificate: Certificate, isAnchor: boolean): PathFailure | undefined {
  const weakness = keyWeakness(certificate.subjectPublicKeyInfo);
  if (weakness !== undefined) {
    return pathFailure("weak_key", certificate, `${describeCertificate(certificate)}: ${weakness.message}`);
  }
  const { oid, parameters } = certificate.signatureAlgorithm;
  const algorithm = isAnchor ? undefined : describeSignatureAlgorithm(oid, parameters);
  if (algorithm?.weak !== true) return undefined;
  const message = `${describeCertificate(certificate)} is signed with ${algorithm.name}, which can be forged`;
  return pathFailure("weak_key", certificate, message);
}
