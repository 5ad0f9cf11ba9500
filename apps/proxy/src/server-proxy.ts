import { createSecureServer } from "node:http2";
import { createServer as createTlsServer, type Server, type TLSSocket } from "node:tls";
import type { Logger } from "@newleaf/daemon";
import {
  type Authorizer,
  type IdentitySource,
  peerOf,
  type Rejection,
  rotateServer,
  type ServerRotation,
  serverOptions,
} from "@newleaf/rotation";
import type { RunningProxy } from "./client-proxy.ts";
import { createConnectionLedger } from "./connection-ledger.ts";
import { dialPlain } from "./dial.ts";
import { type ForwardOptions, forwardRequest } from "./forward-http.ts";
import { forwardUpgrade } from "./forward-upgrade.ts";
import { serverHeaders } from "./forwarded-headers.ts";
import { answerHello } from "./hello.ts";
import { HEADERS_TIMEOUT_MS, KEEP_ALIVE_TIMEOUT_MS, type ProxyLimits } from "./limits.ts";
import { type ListenAddress, listen } from "./listener.ts";
import { fieldOctets, type InboundRequest, type InboundResponse } from "./message.ts";
import { reply } from "./respond.ts";
import type { ServerTarget } from "./target.ts";
import { createFailureReport } from "./target-failure.ts";
import { tunnel } from "./tunnel.ts";
import { createPlainUpstream, type Upstream } from "./upstream.ts";

export interface ProxyServerOptions {
  readonly listen: ListenAddress;
  readonly target: ServerTarget;
  readonly source: IdentitySource;
  readonly authorize: Authorizer;
  readonly limits: ProxyLimits;
  /** From the TCP connection to the end of the handshake. */
  readonly handshakeTimeoutMs?: number;
  /** How long connections with an older certificate may stay; by default until that expires. */
  readonly drainTimeoutMs?: number;
  readonly logger: Logger;
  readonly onRejection?: (rejection: Rejection) => void;
  readonly onFailure?: (reason: string) => void;
}

export interface RunningServerProxy extends RunningProxy {
  readonly rotation: ServerRotation;
}

/** Listens for mTLS and passes what allowed clients send on in plain text, or answers it itself. */
export async function startProxyServer(options: ProxyServerOptions): Promise<RunningServerProxy> {
  const { source, limits, logger } = options;
  const side = createSide(options);
  const { server } = side;
  server.maxConnections = limits.maxConnections;
  const ledger = createConnectionLedger(server);
  const rotation = rotateServer(server, source, {
    authorize: options.authorize,
    logger,
    ...(options.handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs: options.handshakeTimeoutMs }),
    ...(options.drainTimeoutMs === undefined ? {} : { drainTimeoutMs: options.drainTimeoutMs }),
    ...(options.onRejection ? { onRejection: options.onRejection } : {}),
  });
  const close = async (): Promise<void> => {
    await ledger.stop(AbortSignal.abort());
    await rotation[Symbol.asyncDispose]();
    await side.upstream?.[Symbol.asyncDispose]();
  };
  try {
    const address = await listen(server, options.listen);
    return {
      address,
      rotation,
      get connections() {
        return ledger.size;
      },
      stop: (signal) => ledger.stop(signal),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Side {
  readonly server: Server;
  readonly upstream?: Upstream;
}

function createSide(options: ProxyServerOptions): Side {
  const { target } = options;
  switch (target.kind) {
    case "http":
      return httpSide(
        options,
        createPlainUpstream(target, { maxConnections: options.limits.maxConnections }),
      );
    case "hello":
      return helloSide(options);
    case "bytes": {
      const dial = () => dialPlain(target.connect);
      const server = createTlsServer({
        ...serverOptions(options.source),
        allowHalfOpen: true,
        noDelay: true,
      });
      const report = createFailureReport(options.logger, options.onFailure);
      server.on("secureConnection", (inbound: TLSSocket) => {
        void tunnel(inbound, dial, { timeouts: options.limits.timeouts, target: target.name, report });
      });
      return { server };
    }
  }
}

type Handler = (request: InboundRequest, response: InboundResponse) => void;

// Node holds HTTP/2 to an announced limit only once the client has acknowledged it, and by a reset. Up to these it hands
// a request over, and it is answered as over HTTP/1.1; the list counts 32 octets more for each field (RFC 9113 6.5.2).
const HTTP2_FIELDS_READ = 2_048;
const HTTP2_OCTETS_READ = 262_144;

/** HTTP/1.1 and HTTP/2 on one port, by ALPN. */
function createHttpServer({ source, limits }: ProxyServerOptions, handler: Handler) {
  const server = createSecureServer({
    ...serverOptions(source),
    allowHTTP1: true,
    // Unlike http and https, http2 does not set it: small responses would wait for the client's delayed ACK.
    noDelay: true,
    maxHeaderListPairs: HTTP2_FIELDS_READ,
    settings: {
      maxHeaderListSize: Math.max(HTTP2_OCTETS_READ, 2 * limits.maxHeaderSize),
      maxConcurrentStreams: 256,
    },
  });
  // Read by the HTTP/1 side from the server itself; http2 takes no options for them.
  Object.assign(server, {
    maxHeaderSize: limits.maxHeaderSize,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  });
  // Of HTTP/2 sessions: those of HTTP/1 end by keepAliveTimeout.
  server.on("session", (session) => session.setTimeout(limits.timeouts.idleMs, () => session.close()));
  server.on("request", handler);
  return server;
}

function httpSide(options: ProxyServerOptions, upstream: Upstream): Side {
  const { limits, logger, source, onFailure } = options;
  const forward: ForwardOptions = {
    upstream,
    timeouts: limits.timeouts,
    report: createFailureReport(logger, onFailure),
    headers: (line, fields, request) => serverHeaders(line, fields, request, source.current()),
  };
  const handler = withinLimit(limits, (request, response) => forwardRequest(forward, request, response));
  const server = createHttpServer(options, handler);
  server.on("checkContinue", handler);
  server.on("upgrade", (request, socket, head) => forwardUpgrade(forward, request, socket, head));
  return { server, upstream };
}

function helloSide(options: ProxyServerOptions): Side {
  const handler: Handler = (request, response) => {
    const peer = peerOf(request.socket);
    // Cannot be: the rotation lets no request pass without one.
    if (!peer) return void request.socket.destroy();
    answerHello(request, response, peer, options.source.current());
  };
  return { server: createHttpServer(options, withinLimit(options.limits, handler)) };
}

function withinLimit({ maxHeaderSize }: ProxyLimits, handler: Handler): Handler {
  return (request, response) => {
    if (fieldOctets(request) <= maxHeaderSize) handler(request, response);
    else reply(request, response, 431, "header fields too large");
  };
}
