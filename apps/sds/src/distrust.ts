import { createRoot, generateKey, issueCertificate } from "@newleaf/x509";
import type { AnchorsContent, CertificateContent } from "./secret-content.ts";

/**
 * What takes the place of a secret that was taken away. Envoy ignores the removal of a secret and goes on with the last
 * one it has, so revoking means to send another: an authority that has signed nobody and never will, and a certificate
 * of it.
 */
export interface Distrust {
  readonly certificate: CertificateContent;
  readonly anchors: AnchorsContent;
}

const YEAR_MS = 365 * 24 * 3_600_000;

/** Made once for each process, when first needed. */
export function createDistrust(now: () => number): Distrust {
  let made: Distrust | undefined;
  const make = (): Distrust => {
    made ??= makeDistrust(now());
    return made;
  };
  return {
    get certificate() {
      return make().certificate;
    },
    get anchors() {
      return make().anchors;
    },
  };
}

function makeDistrust(now: number): Distrust {
  // Valid for long, so that Envoy's "days until the first certificate expires" raises no alarm. The authority that is
  // trusted and the one that signs are two: the keys of both are gone when this function returns.
  const notAfter = new Date(now + 10 * YEAR_MS);
  const trusted = createRoot({ subject: "CN=nobody is trusted", notAfter });
  const signer = createRoot({ subject: "CN=identity withdrawn", notAfter });
  const { privateKey, publicKey } = generateKey();
  const leaf = issueCertificate(signer, publicKey, { subject: "CN=identity withdrawn", notAfter });
  return {
    certificate: { kind: "certificate", chain: [leaf], key: privateKey },
    anchors: { kind: "anchors", anchors: [trusted.certificate], crls: [], sans: [] },
  };
}
