import { RotationError } from "../error.ts";
import type { Generation } from "../generation.ts";

/** What is known of the connection on which a request failed. */
export interface FailedConnection {
  /** The handshake was done from the client's point of view, which in TLS 1.3 is before the server's verdict. */
  readonly established: boolean;
  /** Octets of application data that ever came from the server. */
  readonly bytesRead: number;
  /** It presented no certificate. */
  readonly anonymous?: boolean | undefined;
}

const CERTIFICATE_ALERT =
  /ALERT_(?:CERTIFICATE_REQUIRED|NO_CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN|UNKNOWN_CA|ACCESS_DENIED)/;
const CLOSED = new Set([
  "ECONNRESET",
  "EPIPE",
  "ECONNABORTED",
  "UND_ERR_SOCKET",
  "ERR_HTTP2_STREAM_CANCEL",
  "ERR_HTTP2_SESSION_ERROR",
]);
const SAFE_TO_REPEAT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * Puts into words what a server says that does not want our certificate: a certificate alert, or, as Node and
 * others do it, an end of the connection after the handshake and before any data. Other errors stay as they are.
 */
export function explainRefusal(error: Error, connection: FailedConnection, generation: Generation): Error {
  if (error instanceof RotationError) return error;
  const code = errorCode(error);
  const alert = CERTIFICATE_ALERT.test(code);
  const silent = CLOSED.has(code) && connection.established && connection.bytesRead === 0;
  if (!alert && !silent) return error;
  if (connection.anonymous) {
    const ended = alert ? "refused this client" : "ended the connection after the handshake without a word";
    const message = `the server ${ended} (${error.message}); it probably demands a client certificate, and this client is anonymous`;
    return new RotationError("ERR_ROTATION_CLIENT_REFUSED", message, { cause: error });
  }
  const { identity, leaf, notAfter, number } = generation;
  const certificate = `${identity}, serial ${leaf.serialNumber}, expires ${notAfter.toISOString()}, generation ${number}`;
  const message = alert
    ? `the server refused our certificate (${certificate}): ${error.message}`
    : `the server ended the connection after the handshake without a word (${error.message}); it probably refused our certificate (${certificate}): see its log for the reason`;
  return new RotationError("ERR_ROTATION_CLIENT_REFUSED", message, { cause: error });
}

/** The connection ended under a request: by a drain, a restart or a network; whoever may repeat the request can. */
export function isConnectionClosed(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return CLOSED.has(errorCode(error)) || error.message.includes("GOAWAY");
}

/** Idempotent (RFC 9110 section 9.2.2), and with a body that can be sent twice. */
export function isRepeatable(method: string, body: unknown): boolean {
  if (!SAFE_TO_REPEAT.has(method.toUpperCase())) return false;
  return body === undefined || body === null || typeof body === "string" || body instanceof Uint8Array;
}

function errorCode(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
