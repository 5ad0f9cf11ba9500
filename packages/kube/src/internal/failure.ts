import { KubeError } from "../error.ts";
import type { StatusFailure } from "../status.ts";

/** The state asked for is no longer there: 410, as an answer or as an event in a watch. */
export function isExpired(error: unknown): boolean {
  const status = statusOf(error);
  return (
    status !== undefined && (status.code === 410 || status.reason === "Expired" || status.reason === "Gone")
  );
}

/** The server, or the replica of it that was asked, has not got that far yet (and may never, after a restore). */
export function isTooLargeResourceVersion(error: unknown): boolean {
  const status = statusOf(error);
  if (!status) return false;
  const causes = status.details?.causes ?? [];
  return (
    causes.some(({ reason }) => reason === "ResourceVersionTooLarge") ||
    causes.some(({ message }) => message === "Too large resource version") ||
    status.message.includes("Too large resource version")
  );
}

export function isInternalError(error: unknown): boolean {
  const status = statusOf(error);
  return status !== undefined && (status.code === 500 || status.reason === "InternalError");
}

/** The server does not take the request as such, and will not take it later. */
export function isInvalid(error: unknown): boolean {
  const code = statusOf(error)?.code;
  return code === 422 || code === 400;
}

/** A failure after which a watch can go on where it was, so that no list is needed: nobody there, or too busy. */
export function isWatchRetriable(error: unknown): boolean {
  const status = statusOf(error);
  return status === undefined || status.code === 429 || status.code > 500;
}

export function retryAfterOf(error: unknown): number | undefined {
  return statusOf(error)?.retryAfterMs;
}

/** For a log: what it was, without stack or headers. */
export function describe(error: unknown): { readonly code?: string; readonly reason: string } {
  if (error instanceof KubeError) return { code: error.code, reason: error.message };
  return { reason: error instanceof Error ? error.message : String(error) };
}

export function statusOf(error: unknown): StatusFailure | undefined {
  return error instanceof KubeError ? error.status : undefined;
}
