/** Why an exchange with the target failed; the reason is a word for metrics and for the client. */
export interface UpstreamFailure {
  readonly status: 408 | 502 | 503 | 504;
  readonly reason: string;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOENT: "connection refused",
  ENOTFOUND: "name not found",
  EAI_AGAIN: "name not found",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ETIMEDOUT: "unreachable",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
};

/** Puts an error of `http.request` into one of a few words; addresses and details are for the log. */
export function upstreamFailure(error: unknown): UpstreamFailure {
  if (error instanceof Timeout) return error.failure;
  const code = String((error as NodeJS.ErrnoException).code ?? "");
  const known = REASONS[code];
  if (known) return { status: 502, reason: known };
  if (code.startsWith("HPE_")) return { status: 502, reason: "response is not HTTP" };
  if (code === "ERR_ROTATION_CLIENT_REFUSED") return { status: 502, reason: "our certificate was refused" };
  if (/^(ERR_ROTATION_SERVER_REFUSED|ERR_TLS_CERT|CERT_|UNABLE_|DEPTH_ZERO|SELF_SIGNED)/.test(code)) {
    return { status: 502, reason: "server is not trusted" };
  }
  if (/^ERR_(TLS|SSL)_/.test(code)) return { status: 502, reason: "TLS failed" };
  return { status: 502, reason: "failed" };
}

/** A deadline of ours that passed. */
export class Timeout extends Error {
  readonly failure: UpstreamFailure;

  constructor(failure: UpstreamFailure) {
    super(failure.reason);
    this.failure = failure;
  }
}
