import { constants } from "node:crypto";
import type { TlsOptions } from "node:tls";
import type { IdentitySource } from "./identity-source.ts";
import { secureContextOptions } from "./secure-context.ts";

/** How long a client may take from connecting to the end of the handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface ServerTlsOptions {
  /** As `rotateServer` is told. */
  readonly clientCertificates?: "required" | "none";
}

/**
 * Options to create a server with: for `https`, `http2` and `tls`, and whatever passes them on. On their own they
 * make a server that demands a certificate of the bundle and resumes no session, so that one that is never given
 * to `rotateServer` fails closed, at the latest when the certificate expires. They hold the private key as PEM.
 */
export function serverOptions(
  source: IdentitySource,
  { clientCertificates = "required" }: ServerTlsOptions = {},
): TlsOptions {
  const demandsCertificate = clientCertificates !== "none";
  const { ticketKeys: _, ...context } = secureContextOptions(source.current());
  return {
    ...context,
    requestCert: demandsCertificate,
    rejectUnauthorized: demandsCertificate,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // Without the guard a ticket would let a client back in after its certificate expired.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
