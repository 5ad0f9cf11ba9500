import http from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TestIdentity } from "@newleaf/testing";
import type { KubeConfig, KubeRequest } from "../src/index.ts";

export interface LoopbackServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Of every connection, in order. */
  readonly sockets: Socket[];
  /** Of every request: method, path, and headers. */
  readonly requests: http.IncomingMessage[];
  /** For the connections from now on. */
  use(identity: TestIdentity, clientCa?: string): void;
}

/** An http(s) server on 127.0.0.1 that answers as told; https with an identity, mTLS with an authority of clients. */
export async function startLoopbackServer(
  handle: http.RequestListener,
  tls?: { readonly identity: TestIdentity; readonly clientCa?: string },
): Promise<LoopbackServer> {
  const sockets: Socket[] = [];
  const requests: http.IncomingMessage[] = [];
  const listener: http.RequestListener = (request, response) => {
    requests.push(request);
    handle(request, response);
  };
  const server = tls
    ? https.createServer(options(tls.identity, tls.clientCa), listener)
    : http.createServer(listener);
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    port,
    sockets,
    requests,
    use: (identity, clientCa) => (server as https.Server).setSecureContext(options(identity, clientCa)),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function options(identity: TestIdentity, clientCa: string | undefined): https.ServerOptions {
  return {
    cert: identity.chainPem,
    key: identity.keyPem,
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  };
}

/** Of a server that anybody may ask, unless more is said. */
export function configOf(server: string, more: Partial<KubeConfig> = {}): KubeConfig {
  return { server, namespace: "default", origin: "the test", tls: {}, user: {}, ...more };
}

export function get(path: string, more: Partial<KubeRequest> = {}): KubeRequest {
  return { method: "GET", path, headers: {}, body: undefined, signal: new AbortController().signal, ...more };
}

export async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
