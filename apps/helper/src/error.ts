/** Stable codes of {@link HelperError}; listed in docs/errors.md. */
export type HelperErrorCode =
  /** The configuration cannot be read, parsed, or does not make sense; nothing was started. */
  | "ERR_HELPER_CONFIG"
  /** No identity, or no token, in the time given. */
  | "ERR_HELPER_NO_IDENTITY"
  /** Files could not be written; those that were there are as they were. */
  | "ERR_HELPER_WRITE"
  /** What should have been told of a new certificate could not be. */
  | "ERR_HELPER_RELOAD"
  /** The command could not be started. */
  | "ERR_HELPER_COMMAND";

/** What this program throws. `hint` becomes the `hint:` line under the message. Never holds keys or tokens. */
export class HelperError extends Error {
  readonly code: HelperErrorCode;
  readonly hint: string | undefined;

  constructor(code: HelperErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HelperError";
    this.code = code;
    this.hint = options.hint;
  }
}
