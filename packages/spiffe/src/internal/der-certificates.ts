import { type Certificate, parseCertificate, X509Error } from "@newleaf/x509";
import { DerCursor } from "@newleaf/x509/asn1";
import { SpiffeError, type SpiffeErrorCode } from "../error.ts";

/**
 * DER certificates that stand one after the other with nothing between them, as the Workload API has them. May be
 * none. Throws an error of `code` whose message begins with `what`.
 */
export function parseDerCertificates(
  der: Uint8Array,
  code: SpiffeErrorCode,
  what: string,
  limits: { readonly maxBytes: number; readonly maxCertificates: number },
): readonly Certificate[] {
  if (der.length > limits.maxBytes)
    throw new SpiffeError(code, `${what}: more than ${limits.maxBytes} octets`);
  const certificates: Certificate[] = [];
  try {
    const cursor = new DerCursor(der);
    while (!cursor.done) {
      if (certificates.length === limits.maxCertificates) {
        throw new SpiffeError(code, `${what}: more than ${limits.maxCertificates} certificates`);
      }
      certificates.push(parseCertificate(cursor.read().raw));
    }
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    const message = `${what}: certificate ${certificates.length + 1} cannot be read: ${cause.message}`;
    throw new SpiffeError(code, message, { cause });
  }
  return Object.freeze(certificates);
}
