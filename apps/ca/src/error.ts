/** Stable codes of {@link CaError}; listed in docs/errors.md. */
export type CaErrorCode =
  | "ERR_CA_EXISTS"
  | "ERR_CA_NOT_FOUND"
  | "ERR_CA_DAMAGED"
  | "ERR_CA_BUSY"
  | "ERR_CA_UNKNOWN_CERTIFICATE"
  | "ERR_CA_EXPIRED"
  | "ERR_CA_TOO_LARGE";

/** The error of the development authority; `hint` becomes the line under it. */
export class CaError extends Error {
  readonly code: CaErrorCode;
  readonly hint: string | undefined;

  constructor(code: CaErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CaError";
    this.code = code;
    this.hint = options.hint;
  }
}
