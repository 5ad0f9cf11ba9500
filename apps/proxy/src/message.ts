import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { fieldValue, type Headers, pairs } from "./headers.ts";

/** A request as either protocol delivers it, through Node's common interface. */
export type InboundRequest = IncomingMessage | Http2ServerRequest;
export type InboundResponse = ServerResponse | Http2ServerResponse;

export function isHttp2(message: InboundRequest): message is Http2ServerRequest {
  return message.httpVersionMajor === 2;
}

/** Where a request goes and what it carries; everything else about it is in its header fields. */
export interface RequestLine {
  readonly method: string;
  /** Origin form or `*`, never normalised. */
  readonly path: string;
  readonly host: string;
  readonly headers: Headers;
}

// Node reads some thousand fields and leaves out the rest without a word, a Content-Length among them; targets have
// limits of their own. Nobody needs as many.
const MOST_FIELDS = 256;

/** Whether a request has more header fields than can be passed on for certain. */
export function hasTooManyFields({ rawHeaders }: InboundRequest): boolean {
  return rawHeaders.length > 2 * MOST_FIELDS;
}

/** Octets of the names and values of all header fields. */
export function fieldOctets({ rawHeaders }: InboundRequest): number {
  return rawHeaders.reduce((sum, text) => sum + text.length, 0);
}

/**
 * Reads the request line. `undefined` for one that must not be passed on: no host, two of them, or a target that is
 * neither origin form, absolute form (RFC 9112 section 3.2.2, its authority wins), nor `*`.
 */
export function readRequestLine(request: InboundRequest): RequestLine | undefined {
  const headers = pairs(request.rawHeaders);
  const hosts = headers.filter(([name]) => name.toLowerCase() === "host");
  const host = isHttp2(request) && request.authority ? request.authority : hosts[0]?.[1];
  const target = request.url ?? "";
  const method = request.method ?? "GET";
  if (hosts.length > 1) return undefined;
  if (target.startsWith("/") || (target === "*" && method === "OPTIONS")) {
    return host === undefined ? undefined : { method, path: target, host, headers };
  }
  const absolute = /^https?:\/\/([^/?#@]+)([/?][^#]*)?$/i.exec(target);
  if (!absolute?.[1]) return undefined;
  const rest = absolute[2] ?? "/";
  return { method, path: rest.startsWith("?") ? `/${rest}` : rest, host: absolute[1], headers };
}

/** How a request's body is framed towards the target: an exact length, chunks, or none at all. */
export type BodyFraming = { readonly length: string } | "chunked" | "none";

export function bodyFraming(request: InboundRequest, headers: Headers): BodyFraming {
  const length = fieldValue(headers, "content-length");
  if (isHttp2(request)) {
    if (length !== undefined) return { length };
    return request.stream.endAfterHeaders ? "none" : "chunked";
  }
  if (fieldValue(headers, "transfer-encoding") !== undefined) return "chunked";
  return length === undefined ? "none" : { length };
}
