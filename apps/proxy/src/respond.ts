import type { ClientRequest, IncomingMessage } from "node:http";
import { constants } from "node:http2";
import { asTrailers, endToEnd, fieldValue, grouped, type Headers, pairs } from "./headers.ts";
import { type InboundRequest, type InboundResponse, isHttp2 } from "./message.ts";

/** How long a client may go on sending a body that nobody wants before its connection is cut. */
const LINGER_MS = 2_000;

/** Answers with a line of our own. */
export function reply(
  request: InboundRequest,
  response: InboundResponse,
  status: number,
  text: string,
): void {
  if (response.headersSent) {
    abort(response);
    return;
  }
  const body = `${status} ${text}\n`;
  response.statusCode = status;
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.setHeader("content-length", Buffer.byteLength(body));
  if (!isHttp2(request) && !request.complete) response.setHeader("connection", "close");
  endUnwantedBody(request, response);
  response.end(request.method === "HEAD" ? "" : body);
}

/** Ends a response that cannot be completed in a way that the client cannot take for its end. */
export function abort(response: InboundResponse): void {
  if ("stream" in response) response.stream?.close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.destroy();
}

/** Passes interim responses on: 100 because the target wants the body, 102 and 103 as they come. */
export function relayInformation(
  outbound: ClientRequest,
  request: InboundRequest,
  response: InboundResponse,
): void {
  outbound.on("continue", () => {
    if (!response.headersSent) response.writeContinue();
  });
  outbound.on("information", ({ statusCode, rawHeaders }) => {
    if (statusCode !== 103 || response.headersSent || request.httpVersion === "1.0") return;
    const link = pairs(rawHeaders).flatMap(([name, value]) => (name.toLowerCase() === "link" ? [value] : []));
    if (link.length === 0) return;
    try {
      response.writeEarlyHints({ link });
    } catch {
      // Node takes fewer forms of Link than RFC 8288 allows; a hint is no loss.
    }
  });
}

/** Streams the target's response to the client, trailers included. One that ends before time is cut, and told of. */
export function relayResponse(
  inbound: IncomingMessage,
  request: InboundRequest,
  response: InboundResponse,
  onCut: (error: Error) => void = () => {},
): void {
  if (response.headersSent) return void inbound.destroy();
  const headers = responseHeaders(inbound, request);
  try {
    response.statusCode = inbound.statusCode ?? 502;
    if (!isHttp2(request)) response.statusMessage = inbound.statusMessage ?? "";
    for (const [name, value] of grouped(headers)) response.setHeader(name, value);
  } catch {
    // A repeated field that HTTP/2 allows once, or a status outside 200-599.
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    inbound.destroy();
    reply(request, response, 502, "target: response cannot be passed on");
    return;
  }
  inbound.once("error", (error) => {
    onCut(error);
    abort(response);
  });
  inbound.once("end", () => response.addTrailers(asTrailers(inbound.rawTrailers)));
  endUnwantedBody(request, response);
  inbound.pipe(response as NodeJS.WritableStream);
}

/** Trailer only announces what can be sent: Node refuses it without chunks. */
function responseHeaders(inbound: IncomingMessage, request: InboundRequest): Headers {
  const headers = endToEnd(pairs(inbound.rawHeaders));
  const chunked =
    request.method !== "HEAD" && request.httpVersion !== "1.0" && !fieldValue(headers, "content-length");
  return chunked ? headers : headers.filter(([name]) => name.toLowerCase() !== "trailer");
}

/** A response may end before the request does; what is still sent then is thrown away, for a short while. */
function endUnwantedBody(request: InboundRequest, response: InboundResponse): void {
  response.once("finish", () => {
    if (request.complete) return;
    request.unpipe();
    request.resume();
    if (isHttp2(request)) return request.stream.close(constants.NGHTTP2_NO_ERROR);
    const { socket } = request;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    request.once("close", () => clearTimeout(timer));
    request.once("end", () => clearTimeout(timer));
  });
}
