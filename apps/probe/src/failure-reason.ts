/** How a failed exchange looks from the client: a word to count by, and what the protocol said. */
export interface FailureReason {
  readonly reason: string;
  readonly message: string;
}

const SYSTEM: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection_refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ENOTFOUND: "name_not_found",
  EAI_AGAIN: "name_not_found",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ETIMEDOUT: "timeout",
  ABORT_ERR: "timeout",
};

/** Puts any error of a TLS or HTTP exchange into one word. Alerts keep the name that RFC 8446 section 6 gives them. */
export function failureReason(error: unknown): FailureReason {
  const { code = "", message = String(error), name, cause } = error as NodeJS.ErrnoException;
  if (code === "ERR_ROTATION_CLIENT_REFUSED") {
    const { reason } = failureReason(cause);
    return { reason: reason.startsWith("alert_") ? reason : "client_certificate_refused", message };
  }
  if (code === "ERR_ROTATION_SERVER_REFUSED") return { reason: "server_not_trusted", message };
  const alert = alertOf(code);
  if (alert !== undefined)
    return { reason: `alert_${alert}`, message: `the peer sent the alert ${alert.replaceAll("_", " ")}` };
  if (name === "TimeoutError") return { reason: "timeout", message };
  if (/before secure TLS connection|socket hang up|other side closed/.test(message)) {
    return { reason: "closed", message: "the peer closed the connection" };
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return { reason: "server_name_mismatch", message };
  if (/^(CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|ERR_TLS_CERT|UNSPECIFIED|INVALID_(CA|PURPOSE))/.test(code)) {
    return { reason: "server_not_trusted", message };
  }
  if (code.startsWith("HPE_")) return { reason: "not_http", message };
  const known = SYSTEM[code];
  if (known !== undefined) return { reason: known, message };
  if (code.startsWith("ERR_SSL_")) return { reason: "tls_failed", message };
  return { reason: code === "" ? "failed" : code.toLowerCase(), message };
}

/** OpenSSL names received alerts `..._ALERT_CERTIFICATE_REQUIRED`, SSLv3's `SSLV3_ALERT_BAD_CERTIFICATE` included. */
function alertOf(code: string): string | undefined {
  return (
    /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13)_ALERT_([A-Z_]+)$/.exec(code)?.[1]?.toLowerCase() ??
    /^ERR_SSL_TLSV1_(UNRECOGNIZED_NAME|CERTIFICATE_UNOBTAINABLE)$/.exec(code)?.[1]?.toLowerCase()
  );
}
