import type { KeyObject } from "node:crypto";
import { type Certificate, encodeCertificates } from "@newleaf/x509";
import type { VolumeFiles } from "./atomic-volume.ts";

/** A leaf with its key, and the chain and trust it is to be used with. */
export interface TestIdentity {
  readonly certificate: Certificate;
  readonly intermediates: readonly Certificate[];
  readonly key: KeyObject;
  /** The leaf alone. */
  readonly certificatePem: string;
  /** Leaf and intermediates: what `tls.crt` holds. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** Anchors of its authority: what `ca.crt` holds. */
  readonly trustPem: string;
  /** As a cert-manager volume or Secret has them: `tls.crt`, `tls.key`, `ca.crt`; another bundle if given. */
  files(trustPem?: string): VolumeFiles & Readonly<Record<"tls.crt" | "tls.key" | "ca.crt", string>>;
}

/** PKCS#8 unless said; SEC1 is for EC keys and PKCS#1 for RSA keys. */
export type KeyFormat = "pkcs8" | "sec1" | "pkcs1";

/** Puts an issued certificate and what belongs to it into the forms that files and TLS options take. */
export function createTestIdentity(parts: {
  readonly certificate: Certificate;
  readonly intermediates: readonly Certificate[];
  readonly key: KeyObject;
  readonly keyFormat?: KeyFormat;
  readonly trustPem: string;
}): TestIdentity {
  const { certificate, intermediates, key, trustPem } = parts;
  const chainPem = encodeCertificates([certificate, ...intermediates]);
  const keyPem = key.export({ type: parts.keyFormat ?? "pkcs8", format: "pem" }).toString();
  return {
    certificate,
    intermediates,
    key,
    certificatePem: encodeCertificates([certificate]),
    chainPem,
    keyPem,
    trustPem,
    files: (bundle = trustPem) => ({ "tls.crt": chainPem, "tls.key": keyPem, "ca.crt": bundle }),
  };
}
