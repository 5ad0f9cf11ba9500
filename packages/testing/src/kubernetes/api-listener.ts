import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { createTestAuthority, type TestAuthority } from "../test-authority.ts";
import type { TestIdentity } from "../test-identity.ts";
import { MAX_BODY_BYTES } from "./body.ts";
import { protobufToJson } from "./protobuf-body.ts";
import type { ApiRequest, ApiResponse } from "./request-handler.ts";
import type { PeerIdentity } from "./user-info.ts";

export interface ListenOptions {
  /** 0, any that is free, by default; always on 127.0.0.1. */
  readonly port?: number;
  /** Names in the serving certificate beside `localhost`, `127.0.0.1` and those of the Service. */
  readonly dnsNames?: readonly string[];
}

/** The API server as clients reach it: HTTP/1.1 over TLS on loopback. Disposal ends all connections. */
export interface ApiListener extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The anchors that clients need to trust it. */
  readonly caPem: string;
  /** A certificate that signs in as this user and these groups. */
  clientCertificate(user: string, groups?: readonly string[]): TestIdentity;
  /** Serves another certificate from now on; with `authority` of another CA, and `caPem` is that one's. */
  rotateCertificate(options?: { readonly authority?: boolean }): void;
  /** `false` refuses connections and ends those that are open; `true` listens again on the same port. */
  setAvailable(available: boolean): Promise<void>;
  /** Connections that were accepted so far. */
  readonly connections: number;
}

export async function listenForApi(
  handle: (request: ApiRequest) => Promise<ApiResponse>,
  options: ListenOptions = {},
): Promise<ApiListener> {
  const clientAuthority = createTestAuthority({ name: "kubernetes clients" });
  let authority = createTestAuthority({ name: "kubernetes" });
  let serving = issueServing(authority, options);
  const sockets = new Set<Duplex>();
  let connections = 0;

  const secureContext = () => ({
    cert: serving.chainPem,
    key: serving.keyPem,
    ca: clientAuthority.trustPem,
  });
  const server = createServer({ ...secureContext(), requestCert: true, rejectUnauthorized: false });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    void serve(handle, request, response);
  });
  server.on("connection", (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
  });
  const port = await listenOn(server, options.port ?? 0);
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };

  return {
    url: `https://127.0.0.1:${port}`,
    port,
    get caPem() {
      return authority.trustPem;
    },
    get connections() {
      return connections;
    },
    clientCertificate: (user, groups = []) =>
      clientAuthority.issue({ extra: { subject: subjectOf(user, groups) } }),
    rotateCertificate(rotate = {}) {
      if (rotate.authority) authority = createTestAuthority({ name: "kubernetes" });
      serving = issueServing(authority, options);
      server.setSecureContext(secureContext());
    },
    async setAvailable(available) {
      if (!available) await close();
      else if (!server.listening) await listenOn(server, port);
    },
    [Symbol.asyncDispose]: close,
  };
}

function issueServing(authority: TestAuthority, { dnsNames = [] }: ListenOptions): TestIdentity {
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  return authority.issue({ commonName: "kube-apiserver", dnsNames: ["localhost", ...service, ...dnsNames] });
}

function subjectOf(user: string, groups: readonly string[]): string {
  const escaped = (value: string): string => value.replaceAll(/([,+"\\<>;=#])/g, "\\$1");
  return [`CN=${escaped(user)}`, ...groups.map((group) => `O=${escaped(group)}`)].join(",");
}

async function listenOn(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const PROTOBUF = "application/vnd.kubernetes.protobuf";

async function serve(
  handle: (request: ApiRequest) => Promise<ApiResponse>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort(new Error("the client is gone")));
  response.on("error", () => {});
  try {
    const octets = await readBody(request);
    const { method = "GET", url: path = "/" } = request;
    const headers = headersOf(request);
    const translated = octets && headers["content-type"] === PROTOBUF ? protobufToJson(octets) : undefined;
    const answer = await handle({
      method,
      path,
      headers: translated ? { ...headers, "content-type": "application/json" } : headers,
      body: translated ? JSON.stringify(translated) : octets?.toString(),
      signal: gone.signal,
      peer: peerOf(request.socket as TLSSocket),
    });
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) response.setHeader(name, value);
    }
    response.writeHead(answer.status);
    response.flushHeaders();
    for await (const chunk of answer.body) {
      if (!response.write(chunk)) await once(response, "drain", { signal: gone.signal });
    }
    response.end();
  } catch {
    // The connection breaks, as a fault or because the client went away; there is nobody to tell.
    const { socket } = request;
    if (response.headersSent) await flushed(response);
    (socket as TLSSocket).destroy();
  }
}

/** What was written before a reset is to arrive. */
function flushed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed || !response.writable) resolve();
    else response.write("", () => resolve());
  });
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // One octet more than is allowed is enough for the refusal.
    if (size <= MAX_BODY_BYTES + 1) chunks.push(chunk);
    else if (chunks.length > 0 && size - chunk.length <= MAX_BODY_BYTES + 1) {
      chunks.push(chunk.subarray(0, MAX_BODY_BYTES + 2 - (size - chunk.length)));
    }
  }
  return chunks.length === 0 ? undefined : Buffer.concat(chunks);
}

function headersOf(request: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : value,
    ]),
  );
}

const peers = new WeakMap<TLSSocket, PeerIdentity | undefined>();

/** Read once per connection. A certificate that our authority did not sign is none. */
function peerOf(socket: TLSSocket): PeerIdentity | undefined {
  if (!peers.has(socket)) {
    const subject = socket.authorized ? socket.getPeerCertificate().subject : undefined;
    const organizations = subject?.O as string | string[] | undefined;
    peers.set(
      socket,
      subject && {
        commonName: subject.CN,
        organizations: organizations === undefined ? [] : [organizations].flat(),
      },
    );
  }
  return peers.get(socket);
}
