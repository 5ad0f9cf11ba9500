import { KubeError } from "../error.ts";

/** What went wrong between us and a server, in the words of this package: no answer was had, or it broke off. */
export function toTransportError(error: unknown, server: string): KubeError {
  if (error instanceof KubeError) return error;
  const { code = "", message = "" } = error as NodeJS.ErrnoException;
  const text = code === "" ? message : code;
  if (isTlsFailure(error)) {
    return new KubeError("ERR_KUBE_TLS", `${server}: ${describeTls(code, message)}`, { cause: error });
  }
  if (code.startsWith("HPE_")) {
    return new KubeError("ERR_KUBE_PROTOCOL", `${server}: the answer is no HTTP (${code})`, { cause: error });
  }
  const why = REASONS[code] ?? "the connection failed";
  return new KubeError("ERR_KUBE_UNREACHABLE", `${server}: ${why} (${text})`, { cause: error });
}

/** The same for transports that reject with Node.js's own errors; what is none of a connection is as it was. */
export function asTransportError(error: unknown, server: string): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const ofConnection = typeof code === "string" && (code in REASONS || isTlsFailure(error));
  return ofConnection ? toTransportError(error, server) : error;
}

/** Whether a certificate was the matter, theirs or ours, or TLS itself. */
export function isTlsFailure(error: unknown): boolean {
  const { code = "", library } = error as NodeJS.ErrnoException & { library?: string };
  return (
    library === "SSL routines" || code === "EPROTO" || /^ERR_(SSL|TLS)_/.test(code) || VERIFY_CODES.has(code)
  );
}

function describeTls(code: string, message: string): string {
  // Node.js 20 has a code for some of OpenSSL's errors only.
  if (/wrong version number/i.test(message) || code === "ERR_SSL_WRONG_VERSION_NUMBER")
    return `it does not speak TLS (${code})`;
  if (/_ALERT_/.test(code)) return `it refused our certificate, or the handshake (${code})`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `its certificate is for another name (${code})`;
  return VERIFY_CODES.has(code)
    ? `its certificate is not trusted: ${message} (${code})`
    : `TLS failed (${code})`;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  ETIMEDOUT: "the connection is dead",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ENOTFOUND: "the host is not known",
  EAI_AGAIN: "the name server did not answer",
};

/** X509_V_ERR_*, as Node.js names them. */
const VERIFY_CODES: ReadonlySet<string> = new Set([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_CRL",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "CERT_SIGNATURE_FAILURE",
  "CERT_NOT_YET_VALID",
  "CERT_HAS_EXPIRED",
  "ERROR_IN_CERT_NOT_BEFORE_FIELD",
  "ERROR_IN_CERT_NOT_AFTER_FIELD",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_CHAIN_TOO_LONG",
  "CERT_REVOKED",
  "INVALID_CA",
  "PATH_LENGTH_EXCEEDED",
  "INVALID_PURPOSE",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "HOSTNAME_MISMATCH",
]);
