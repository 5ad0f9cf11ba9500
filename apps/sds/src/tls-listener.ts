import { createServer, type TLSSocket } from "node:tls";
import { failure, formatHostPort, type HostPort, type Logger } from "@newleaf/daemon";
import {
  type Authorizer,
  createServerConsumer,
  type IdentitySource,
  type Rejection,
  type ServerConsumer,
  serverOptions,
} from "@newleaf/rotation";
import type { Listener } from "./unix-listener.ts";

/** A listener whose certificate rotates with its source: `consumer` is to be part of that source's rotation. */
export interface TlsListener extends Listener {
  readonly consumer: ServerConsumer;
}

/** How long a connection stays on an older certificate. An Envoy loses nothing by coming back. */
const DRAIN_TIMEOUT_MS = 60_000;

/** Listens for mTLS on TCP and lets in who is allowed. */
export async function listenOnTls(
  address: HostPort,
  source: IdentitySource,
  options: {
    readonly authorize: Authorizer;
    readonly maxConnections: number;
    readonly logger: Logger;
    readonly onConnection: (socket: TLSSocket) => void;
    readonly onRejection: (rejection: Rejection) => void;
  },
): Promise<TlsListener> {
  const { authorize, logger, onConnection, onRejection } = options;
  const server = createServer({ ...serverOptions(source), ALPNProtocols: ["h2"], noDelay: true });
  server.maxConnections = options.maxConnections;
  const consumer = createServerConsumer(server, source, {
    authorize,
    logger,
    onRejection,
    name: "listener",
    drainTimeoutMs: DRAIN_TIMEOUT_MS,
  });
  server.on("secureConnection", onConnection);
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => {
      const message = `cannot listen on ${formatHostPort(address)}: ${error.code ?? error.message}`;
      reject(failure(message, { hint: "choose another address with --listen", cause: error }));
    };
    server.once("error", refuse);
    server.listen(address.port, address.host, () => {
      server.off("error", refuse);
      resolve();
    });
  });
  const bound = server.address();
  const port = typeof bound === "object" && bound ? bound.port : address.port;
  return {
    address: formatHostPort({ host: address.host, port }),
    consumer,
    async [Symbol.asyncDispose]() {
      server.close();
      await consumer[Symbol.asyncDispose]();
    },
  };
}
