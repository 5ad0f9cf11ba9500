/** What went wrong, for callers to branch on; messages are for people and may change. */
export type WebhookErrorCode =
  /** Options that cannot work, found before anything was started. */
  | "ERR_WEBHOOK_OPTIONS"
  /** There has never been a certificate, and the time given for it is over; the message says what was seen last. */
  | "ERR_WEBHOOK_NO_CERTIFICATE";

/** The one error class of this package. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
  readonly code: WebhookErrorCode;

  constructor(code: WebhookErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
