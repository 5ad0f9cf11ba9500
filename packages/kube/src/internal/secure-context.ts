import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { KubeError } from "../error.ts";
import type { TlsMaterial } from "../tls-material.ts";

/**
 * The context of connections with this material. Throws ERR_KUBE_CONFIG for what Node.js would take for something
 * else: with an empty authority it trusts the system's roots, of a torn one it drops what it cannot read.
 */
export function createClientContext({ ca, cert, key }: TlsMaterial): SecureContext {
  if (ca !== undefined) checkCertificates(ca, "certificate authority");
  if (cert !== undefined) checkCertificates(cert, "client certificate");
  if ((cert === undefined) !== (key === undefined))
    throw bad("a client certificate and its key belong together");
  try {
    return createSecureContext({
      minVersion: "TLSv1.2",
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && key !== undefined && { cert, key }),
    });
  } catch (error) {
    // OpenSSL's words name no key material, and its stack is of no use.
    throw bad(`the client certificate and its key cannot be used: ${(error as Error).message}`);
  }
}

function checkCertificates(pem: string, what: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw bad(`the ${what} holds no certificate`);
  const begun = pem.split("-----BEGIN ").length - 1;
  if (blocks.length !== begun)
    throw bad(`the ${what} holds a certificate that is cut off, or something else`);
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch {
      throw bad(`the ${what} holds a certificate that cannot be read`);
    }
  }
}

function bad(message: string): KubeError {
  return new KubeError("ERR_KUBE_CONFIG", message);
}
