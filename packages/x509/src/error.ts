/** Stable codes of every failure this package throws; branch on these, never on the message. */
export type X509ErrorCode =
  | "ERR_X509_DER"
  | "ERR_X509_PEM"
  | "ERR_X509_CERTIFICATE"
  | "ERR_X509_CRL"
  | "ERR_X509_CSR"
  | "ERR_X509_KEY"
  | "ERR_X509_LIMIT"
  | "ERR_X509_ISSUE";

/**
 * The only error this package throws on bad input. `offset` counts octets (characters for PEM text) from the
 * start of what was given to the parser. Messages never hold key material.
 */
export class X509Error extends Error {
  override readonly name = "X509Error";
  readonly code: X509ErrorCode;
  readonly offset: number | undefined;

  constructor(code: X509ErrorCode, message: string, options: { offset?: number; cause?: unknown } = {}) {
    super(
      options.offset === undefined ? message : `${message} (offset ${options.offset})`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.offset = options.offset;
  }
}
