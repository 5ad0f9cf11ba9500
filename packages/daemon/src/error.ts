/** Stable codes of {@link DaemonError}; listed in docs/errors.md. */
export type DaemonErrorCode =
  | "ERR_DAEMON_USAGE"
  | "ERR_DAEMON_CONFIG"
  | "ERR_DAEMON_FAILED"
  | "ERR_DAEMON_LISTEN"
  | "ERR_DAEMON_DRAIN"
  | "ERR_DAEMON_WRITE"
  | "ERR_DAEMON_INTERRUPTED";

/**
 * The only error this package throws. `ERR_DAEMON_USAGE` and `ERR_DAEMON_CONFIG` end a program with exit code
 * 2, the others with 1; `hint` becomes the `hint:` line under the message.
 */
export class DaemonError extends Error {
  readonly code: DaemonErrorCode;
  readonly hint: string | undefined;

  constructor(code: DaemonErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "DaemonError";
    this.code = code;
    this.hint = options.hint;
  }
}

/** An error that ends the program with exit code 2: what was asked for cannot be right. */
export function usageError(message: string, hint?: string): DaemonError {
  return new DaemonError("ERR_DAEMON_USAGE", message, hint === undefined ? {} : { hint });
}

/** An error that ends the program with exit code 1: a check failed, or the world was not as needed. */
export function failure(message: string, options: { hint?: string; cause?: unknown } = {}): DaemonError {
  return new DaemonError("ERR_DAEMON_FAILED", message, options);
}
