import type { IncomingMessage } from "node:http";
import type { Clock } from "@newleaf/kube";

/** `gone`: the client ended it, or `signal` was aborted. */
export type Body =
  | { readonly kind: "read"; readonly octets: Uint8Array }
  | { readonly kind: "too-large" | "too-slow" | "gone" };

export interface BodyLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** All octets of a request's body. What is not read is left in the request. */
export function readBody(request: IncomingMessage, limits: BodyLimits): Promise<Body> {
  const { maxBytes, timeoutMs, clock, signal } = limits;
  if (Number(request.headers["content-length"] ?? 0) > maxBytes)
    return Promise.resolve({ kind: "too-large" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (body: Body): void => {
      timer.cancel();
      signal.removeEventListener("abort", onGone);
      request.off("data", onData).off("end", onEnd).off("close", onGone).pause();
      resolve(body);
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > maxBytes) settle({ kind: "too-large" });
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle({ kind: "read", octets: Buffer.concat(chunks, length) });
    const onGone = (): void => settle({ kind: "gone" });
    const timer = clock.setTimeout(() => settle({ kind: "too-slow" }), timeoutMs);
    signal.addEventListener("abort", onGone);
    // Node reports a connection that was cut as an error too.
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
    if (signal.aborted) onGone();
  });
}
