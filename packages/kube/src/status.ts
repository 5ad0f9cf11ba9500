import { KubeError } from "./error.ts";

/**
 * What a request came to. A refusal by the API server is an expected outcome, so it is a value: callers branch on
 * `status.reason`. What never got an answer throws a KubeError.
 */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: StatusFailure };

/** A `Status` of the API server, or what a proxy before it said in other words (meta/v1 Status). */
export interface StatusFailure {
  /** HTTP status; for an ERROR event of a watch the code inside of it. */
  readonly code: number;
  /** The API's word for it; `Unknown` where the body was no Status. */
  readonly reason: StatusReason;
  readonly message: string;
  /** When to try again, from `Retry-After` or `details.retryAfterSeconds`. */
  readonly retryAfterMs: number | undefined;
  readonly details: StatusDetails | undefined;
  /** `Audit-Id` of the answer: what to look for in the API server's log. */
  readonly requestId: string | undefined;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly {
    readonly reason?: string;
    readonly message?: string;
    readonly field?: string;
  }[];
  readonly retryAfterSeconds?: number;
}

/** Of meta/v1; others, of newer servers, come as they are. */
export type StatusReason =
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "Gone"
  | "Invalid"
  | "ServerTimeout"
  | "Timeout"
  | "TooManyRequests"
  | "BadRequest"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "InternalError"
  | "Expired"
  | "ServiceUnavailable"
  | "Unknown"
  | (string & {});

/** The value, or ERR_KUBE_STATUS with `what` in front: for callers to whom every refusal is a failure. */
export function valueOrThrow<T>(answer: Answer<T>, what: string): T {
  if (answer.ok) return answer.value;
  const { code, reason, message } = answer.status;
  throw new KubeError("ERR_KUBE_STATUS", `${what}: ${message} (${code} ${reason})`, {
    status: answer.status,
  });
}
