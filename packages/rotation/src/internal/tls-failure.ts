import type { RejectionCode } from "../rejection.ts";

/** A failed handshake as a rejection: the code by OpenSSL's error, the message in OpenSSL's words. */
export function describeTlsFailure(error: Error | undefined): { code: RejectionCode; message: string } {
  if (!error)
    return { code: "handshake_failed", message: "the client closed the connection during the handshake" };
  const { code = "", reason } = error as NodeJS.ErrnoException & { reason?: string };
  const words = reason ?? error.message;
  switch (code) {
    case "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE":
      return { code: "no_certificate", message: "the client presented no certificate" };
    case "ERR_SSL_UNSUPPORTED_PROTOCOL":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_VERSION_TOO_LOW":
    case "ERR_SSL_NO_PROTOCOLS_AVAILABLE":
      return { code: "unsupported_protocol", message: `the client does not speak TLS 1.3 (${words})` };
    case "ECONNRESET":
    case "EPIPE":
      return {
        code: "handshake_failed",
        message: `the client reset the connection during the handshake (${code})`,
      };
    default:
      return { code: "handshake_failed", message: alertReceived(code, words) };
  }
}

function alertReceived(code: string, words: string): string {
  return /_ALERT_/.test(code) ? `the client refused this server: ${words}` : `the handshake failed: ${words}`;
}
