import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket, TlsOptions } from "node:tls";
import type { TestAuthority, TestIdentity } from "@newleaf/testing";

/** A server as anybody writes it, without this library: Node's own, demanding a client certificate. */
export interface PlainServer extends AsyncDisposable {
  readonly origin: string;
  readonly server: https.Server | http2.Http2SecureServer;
  /** Connections accepted so far, and open now. */
  accepted(): number;
  open(): readonly Socket[];
  /** Serves another leaf to new connections. */
  swap(identity: TestIdentity): void;
}

export interface PlainServerOptions {
  readonly authority: TestAuthority;
  readonly identity?: TestIdentity;
  readonly http2?: boolean;
  readonly tls?: TlsOptions;
  readonly handler?: RequestListener;
  readonly port?: number;
}

export async function startPlainServer(options: PlainServerOptions): Promise<PlainServer> {
  const { authority, identity = authority.issue(), handler = answerWithPeer } = options;
  const tls = (leaf: TestIdentity): TlsOptions => ({
    cert: leaf.chainPem,
    key: leaf.keyPem,
    ca: [leaf.trustPem],
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
    ...options.tls,
  });
  const server = options.http2
    ? http2.createSecureServer({ ...tls(identity), allowHTTP1: false }, handler as never)
    : https.createServer(tls(identity), handler);
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on("connection", (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => {});
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `https://127.0.0.1:${port}`,
    server,
    accepted: () => accepted,
    open: () => [...sockets],
    swap: (next) => server.setSecureContext(tls(next)),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers with the fingerprint of the client's leaf. */
export function answerWithPeer(request: IncomingMessage, response: ServerResponse): void {
  response.end(peerFingerprint(request));
}

export function peerFingerprint(request: IncomingMessage | http2.Http2ServerRequest): string {
  const socket = ("stream" in request ? request.stream.session?.socket : request.socket) as TLSSocket;
  return socket.getPeerX509Certificate()?.fingerprint256.replaceAll(":", "").toLowerCase() ?? "";
}
