/** What went wrong, for callers to branch on; messages are for people and may change. */
export type RotationErrorCode =
  /** No good identity within the time given; the message names the last refusal. */
  | "ERR_ROTATION_NO_IDENTITY"
  /** The source, rotation or consumer was disposed before this call. */
  | "ERR_ROTATION_CLOSED"
  /** Options that cannot work, found before anything was started. */
  | "ERR_ROTATION_OPTIONS"
  /** A stage, a proof or a step of a rollover was not done before its deadline. */
  | "ERR_ROTATION_TIMEOUT"
  /** A newer generation came before this one was done with. */
  | "ERR_ROTATION_SUPERSEDED"
  /** The server's certificate does not verify to the current trust, or its names are not allowed. */
  | "ERR_ROTATION_SERVER_REFUSED"
  /** The server ended the connection in the way servers do that refuse a client's certificate. */
  | "ERR_ROTATION_CLIENT_REFUSED"
  /** The process to signal was not found, or may not be signalled. */
  | "ERR_ROTATION_PROCESS";

/** The one error class of this package. */
export class RotationError extends Error {
  override readonly name = "RotationError";
  readonly code: RotationErrorCode;

  constructor(code: RotationErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
