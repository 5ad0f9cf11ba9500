import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import { type ForwardOptions, type ForwardTimeouts, forwardRequest } from "../src/forward-http.ts";
import { forwardUpgrade } from "../src/forward-upgrade.ts";
import { createPlainUpstream } from "../src/upstream.ts";

/** A forwarder without TLS before it: what the HTTP tests talk to. */
export interface PlainProxy extends AsyncDisposable {
  readonly port: number;
  readonly h2Port: number;
  readonly failures: string[];
}

export async function listening(server: NetServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** All that a socket receives. Not `text` of stream/consumers: on Node 20 that destroys both directions at the end. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks).toString();
}

export async function startTarget(
  listener: RequestListener,
): Promise<AsyncDisposable & { readonly port: number; readonly server: Server }> {
  const server = createServer(listener);
  const port = await listening(server);
  return { port, server, [Symbol.asyncDispose]: () => closed(server) };
}

export async function startPlainProxy(
  targetPort: number,
  timeouts: Partial<ForwardTimeouts> = {},
): Promise<PlainProxy> {
  const failures: string[] = [];
  const upstream = createPlainUpstream(
    { kind: "http", host: "127.0.0.1", port: targetPort, name: `http://127.0.0.1:${targetPort}` },
    { maxConnections: 64 },
  );
  const options: ForwardOptions = {
    upstream,
    timeouts: { connectMs: 2_000, responseMs: 5_000, idleMs: 5_000, tunnelMs: 5_000, ...timeouts },
    headers: (line, fields) => [
      ["Host", line.host],
      ...fields.filter(([name]) => !OURS.has(name.toLowerCase())),
    ],
    report: ({ reason }) => void failures.push(reason),
  };
  const server = createServer((request, response) => forwardRequest(options, request, response));
  server.on("checkContinue", (request, response) => forwardRequest(options, request, response));
  server.on("upgrade", (request, socket, head) => forwardUpgrade(options, request, socket, head));
  const h2 = createHttp2Server((request, response) => forwardRequest(options, request, response));
  const [port, h2Port] = [await listening(server), await listening(h2)];
  return {
    port,
    h2Port,
    failures,
    [Symbol.asyncDispose]: async () => {
      await upstream[Symbol.asyncDispose]();
      await Promise.all([closed(server), closed(h2)]);
    },
  };
}

const OURS = new Set(["host", "content-length"]);

async function closed(server: NetServer): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    if ("closeAllConnections" in server) (server as Server).closeAllConnections();
  });
}
