import type { StatusFailure } from "./status.ts";

/** What went wrong, for callers to branch on; messages are for people and may change. */
export type KubeErrorCode =
  /** A kubeconfig, or an option, that cannot work; found before anything was sent. */
  | "ERR_KUBE_CONFIG"
  /** The credential plugin failed, or printed what cannot be used. */
  | "ERR_KUBE_EXEC"
  /** The API server could not be reached, or ended the connection before it had answered. */
  | "ERR_KUBE_UNREACHABLE"
  /** No answer, or no progress, in the time given. */
  | "ERR_KUBE_TIMEOUT"
  /** The API server did not prove who it is, or refused our certificate. */
  | "ERR_KUBE_TLS"
  /** An answer that is not of the Kubernetes API, or beyond a size limit. */
  | "ERR_KUBE_PROTOCOL"
  /** A Status where only success could go on; it is in `status`. */
  | "ERR_KUBE_STATUS"
  /** The Lease was lost, or may have been: what only its holder may do was not done. */
  | "ERR_KUBE_NOT_LEADER"
  /** Used after it was closed. */
  | "ERR_KUBE_CLOSED";

/** The one error class of this package. Messages never hold tokens or keys. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: KubeErrorCode;
  /** What the API server said, with `ERR_KUBE_STATUS`. */
  readonly status: StatusFailure | undefined;

  constructor(
    code: KubeErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly status?: StatusFailure } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.status = options.status;
  }
}
