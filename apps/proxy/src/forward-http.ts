import type { ClientRequest, IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { asTrailers, endToEnd, fieldValue, flat, type Headers } from "./headers.ts";
import {
  type BodyFraming,
  bodyFraming,
  hasTooManyFields,
  type InboundRequest,
  type InboundResponse,
  isHttp2,
  type RequestLine,
  readRequestLine,
} from "./message.ts";
import { abort, relayInformation, relayResponse, reply } from "./respond.ts";
import type { ReportFailure } from "./target-failure.ts";
import type { Upstream } from "./upstream.ts";
import { Timeout, type UpstreamFailure, upstreamFailure } from "./upstream-failure.ts";

/** Deadlines of one exchange; each ends in an answer to the client, never in a wait without end. */
export interface ForwardTimeouts {
  /** Until the target is connected, a wait for a free pool connection included. */
  readonly connectMs: number;
  /** Without any progress until the response begins. */
  readonly responseMs: number;
  /** Without any progress in the body of a response. */
  readonly idleMs: number;
  /** Without an octet either way in an upgraded connection or in bytes, which may well be idle for long. */
  readonly tunnelMs: number;
}

export interface ForwardOptions {
  readonly upstream: Upstream;
  readonly timeouts: ForwardTimeouts;
  /** The fields to send for a request: the end-to-end ones it came with, edited. What it throws is a bad request. */
  headers(line: RequestLine, endToEndFields: Headers, request: InboundRequest): Headers;
  /** Told of every exchange that the target did not complete. */
  readonly report: ReportFailure;
}

/** Passes one request to the target and its response back, streaming both ways. */
export function forwardRequest(
  options: ForwardOptions,
  request: InboundRequest,
  response: InboundResponse,
): void {
  if (hasTooManyFields(request)) {
    reply(request, response, 431, "too many header fields");
    return;
  }
  const line = readRequestLine(request);
  if (line) attempt(options, { request, response, line, framing: bodyFraming(request, line.headers) }, 1);
  else reply(request, response, 400, "bad request: no usable host and target");
}

interface Exchange {
  readonly request: InboundRequest;
  readonly response: InboundResponse;
  readonly line: RequestLine;
  readonly framing: BodyFraming;
}

function attempt(options: ForwardOptions, exchange: Exchange, number: number): void {
  const outbound = open(options, exchange);
  if (outbound) follow(options, exchange, outbound, number);
  else reply(exchange.request, exchange.response, 400, "bad request: cannot be expressed in HTTP/1.1");
}

function follow(options: ForwardOptions, exchange: Exchange, outbound: ClientRequest, number: number): void {
  const { request, response } = exchange;
  guardTime(outbound, request, options.timeouts);
  let over = false;
  const clientGone = (): void => {
    over = true;
    outbound.destroy();
  };
  response.once("close", clientGone);
  relayInformation(outbound, request, response);
  outbound.once("response", (inbound) => {
    outbound.setTimeout(options.timeouts.idleMs);
    relayResponse(inbound, request, response, (error) => {
      if (!over) reportFailure(options, error);
      over = true;
    });
  });
  outbound.on("error", (error: NodeJS.ErrnoException) => {
    if (over) return;
    over = true;
    response.off("close", clientGone);
    request.unpipe();
    const again = number < MAX_ATTEMPTS && !response.headersSent && isStale(exchange, outbound, error);
    if (again) attempt(options, exchange, number + 1);
    else fail(options, exchange, error);
  });
  sendBody(exchange, outbound);
}

const MAX_ATTEMPTS = 3;

/** What is sent for a request to open it; `undefined` when Node finds something in it that HTTP/1.1 forbids. */
function open(options: ForwardOptions, { request, line, framing }: Exchange): ClientRequest | undefined {
  try {
    const fields = options.headers(line, endToEnd(line.headers), request);
    const headers = [...fields, ...framingFields(line, framing)];
    return options.upstream.request({ method: line.method, path: line.path, headers: flat(headers) });
  } catch {
    return undefined;
  }
}

/** Content-Length or Transfer-Encoding is always ours, from what the parser found, never copied. */
function framingFields(line: RequestLine, framing: BodyFraming): Headers {
  const te: Headers = /\btrailers\b/i.test(fieldValue(line.headers, "te") ?? "")
    ? [
        ["Connection", "keep-alive, TE"],
        ["TE", "trailers"],
      ]
    : [];
  if (framing === "chunked") return [...te, ["Transfer-Encoding", "chunked"]];
  if (framing !== "none") return [...te, ["Content-Length", framing.length]];
  // A method that usually has a body says that it has none (RFC 9110 section 8.6).
  return ["POST", "PUT", "PATCH"].includes(line.method) ? [...te, ["Content-Length", "0"]] : te;
}

function sendBody({ request, framing }: Exchange, outbound: ClientRequest): void {
  if (framing === "none") {
    outbound.end();
    request.resume();
    return;
  }
  // Sends the header fields now. Not flushHeaders(), which would write those above U+007F as UTF-8.
  outbound.write("", "latin1");
  request.once("end", () => {
    if (isHttp2(request) && wasReset(request.stream)) {
      outbound.destroy();
      return;
    }
    if (framing === "chunked") outbound.addTrailers(asTrailers(request.rawTrailers));
    outbound.end();
  });
  request.pipe(outbound, { end: false });
}

/** Node ends the body of a stream that the client reset as if it were complete. The target must not take it for that. */
function wasReset(stream: ServerHttp2Stream): boolean {
  return stream.aborted || stream.closed || stream.destroyed;
}

/** A pooled connection that the target closed just as it was taken: nothing was processed, so ask again. */
function isStale(
  { line, framing }: Exchange,
  outbound: ClientRequest,
  error: NodeJS.ErrnoException,
): boolean {
  const idempotent = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].includes(line.method);
  const closed = error.code === "ECONNRESET" || error.code === "EPIPE";
  return outbound.reusedSocket && closed && idempotent && framing === "none";
}

function fail(options: ForwardOptions, { request, response }: Exchange, error: NodeJS.ErrnoException): void {
  const { status, reason } = reportFailure(options, error);
  if (response.headersSent) abort(response);
  else reply(request, response, status, `target: ${reason}`);
}

function reportFailure({ report, upstream }: ForwardOptions, error: Error): UpstreamFailure {
  const failure = upstreamFailure(error);
  // 408 is the client's own doing.
  if (failure.status !== 408) report({ target: upstream.name, reason: failure.reason, error: error.message });
  return failure;
}

/** Destroys an exchange that does not move; its error event then answers the client. */
export function guardTime(
  outbound: ClientRequest,
  request: InboundRequest | IncomingMessage,
  timeouts: ForwardTimeouts,
): void {
  const connecting = setTimeout(
    () => outbound.destroy(new Timeout({ status: 504, reason: "no connection in time" })),
    timeouts.connectMs,
  );
  const connected = (): void => {
    clearTimeout(connecting);
    outbound.setTimeout(timeouts.responseMs);
  };
  outbound.once("socket", (socket) => {
    if (!socket.connecting) connected();
    else socket.once("encrypted" in socket ? "secureConnect" : "connect", connected);
  });
  outbound.once("timeout", () => {
    const stalled = !isHttp2(request) && !request.complete;
    const failure = stalled
      ? ({ status: 408, reason: "request body stalled" } as const)
      : ({ status: 504, reason: "no answer in time" } as const);
    outbound.destroy(new Timeout(failure));
  });
  outbound.once("close", () => clearTimeout(connecting));
}
