import { createHash } from "node:crypto";
import type { Certificate } from "./certificate.ts";

/** A set of trusted certificates: order and repetitions do not count, identity is by SHA-256 of the octets. */
export interface TrustBundle {
  /** Each once, in the order given. */
  readonly certificates: readonly Certificate[];
  /** Lower-case hex over the sorted fingerprints: equal exactly for equal sets. */
  readonly sha256: string;
  has(certificate: Certificate): boolean;
}

/** A frozen bundle. It may be empty: whether that is an error is for the caller to say. */
export function createTrustBundle(certificates: readonly Certificate[]): TrustBundle {
  const byFingerprint = new Map<string, Certificate>();
  for (const certificate of certificates) {
    if (!byFingerprint.has(certificate.sha256)) byFingerprint.set(certificate.sha256, certificate);
  }
  const identity = createHash("sha256");
  for (const fingerprint of [...byFingerprint.keys()].sort()) identity.update(fingerprint, "hex");
  return Object.freeze({
    certificates: Object.freeze([...byFingerprint.values()]),
    sha256: identity.digest("hex"),
    has: (certificate: Certificate) => byFingerprint.has(certificate.sha256),
  });
}

/** What `after` has that `before` had not, and the other way round. */
export function diffTrustBundles(
  before: TrustBundle,
  after: TrustBundle,
): { added: readonly Certificate[]; removed: readonly Certificate[] } {
  return {
    added: after.certificates.filter((certificate) => !before.has(certificate)),
    removed: before.certificates.filter((certificate) => !after.has(certificate)),
  };
}
