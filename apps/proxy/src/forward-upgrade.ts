import { type ClientRequest, type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { forwardBytes } from "./forward-bytes.ts";
import { type ForwardOptions, guardTime } from "./forward-http.ts";
import { endToEnd, flat } from "./headers.ts";
import { bodyFraming, hasTooManyFields, type RequestLine, readRequestLine } from "./message.ts";
import { relayResponse, reply } from "./respond.ts";
import { upstreamFailure } from "./upstream-failure.ts";

/**
 * Passes an upgrade (RFC 9110 section 7.8), such as a WebSocket, to the target; once the target has switched, bytes
 * flow both ways. `h2c` is refused: whoever tunnels HTTP/2 past the proxy escapes its header rules.
 */
export function forwardUpgrade(
  options: ForwardOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  socket.on("error", () => socket.destroy());
  const response = rawResponse(request, socket as Socket);
  const line = hasTooManyFields(request) ? undefined : readRequestLine(request);
  const outbound = line && isPassable(request, line) ? open(options, request, line) : undefined;
  if (outbound) follow(options, { request, response, socket: socket as Socket, head }, outbound);
  else reply(request, response, 400, "bad request: this upgrade is not passed on");
}

/** What is between the client and the target until the target has switched. */
interface Upgrade {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly head: Buffer;
}

/** Not h2c, and no body, whose octets could be taken for the next protocol's. */
function isPassable(request: IncomingMessage, line: RequestLine): boolean {
  if (/(^|[\s,])h2c\b/i.test(request.headers.upgrade ?? "")) return false;
  return bodyFraming(request, line.headers) === "none";
}

function follow(options: ForwardOptions, upgrade: Upgrade, outbound: ClientRequest): void {
  const { request, response, socket, head } = upgrade;
  guardTime(outbound, request, options.timeouts);
  const clientGone = (): void => void outbound.destroy();
  socket.once("close", clientGone);

  outbound.once("upgrade", (inbound, far, farHead) => {
    socket.off("close", clientGone);
    response.detachSocket(socket);
    socket.write(switchingHead(inbound), "latin1");
    if (farHead.length > 0) socket.write(farHead);
    if (head.length > 0) far.write(head);
    void forwardBytes(socket, far as Socket, { idleTimeoutMs: options.timeouts.tunnelMs });
  });
  outbound.once("response", (inbound) => relayResponse(inbound, request, response));
  outbound.on("error", (error) => {
    if (socket.destroyed || response.headersSent) return void socket.destroy();
    const { status, reason } = upstreamFailure(error);
    options.report({ target: options.upstream.name, reason, error: error.message });
    reply(request, response, status, `target: ${reason}`);
  });
  outbound.end();
}

function open(
  options: ForwardOptions,
  request: IncomingMessage,
  line: RequestLine,
): ClientRequest | undefined {
  try {
    const fields = options.headers(line, endToEnd(line.headers), request);
    return options.upstream.request({
      method: line.method,
      path: line.path,
      headers: flat([...fields, ["Connection", "Upgrade"], ["Upgrade", request.headers.upgrade ?? ""]]),
    });
  } catch {
    return undefined;
  }
}

/** A response on a connection that Node's server has let go of; it is the last on it. */
function rawResponse(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => socket.end());
  return response;
}

/** 101 as the target sent it: its Upgrade and Connection fields are what the client waits for. */
function switchingHead(inbound: IncomingMessage): string {
  const lines = [`HTTP/1.1 101 ${inbound.statusMessage || "Switching Protocols"}`];
  for (let index = 0; index + 1 < inbound.rawHeaders.length; index += 2) {
    lines.push(`${inbound.rawHeaders[index]}: ${inbound.rawHeaders[index + 1]}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}
