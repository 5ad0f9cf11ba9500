import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { DaemonError, formatHostPort, type HostPort, type Logger } from "@newleaf/daemon";
import {
  type IdentitySource,
  type Rejection,
  rotateServer,
  type ServerRotation,
  serverOptions,
} from "@newleaf/rotation";

export interface AdmissionServerOptions {
  readonly listen: HostPort;
  readonly source: IdentitySource;
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void;
  /** From then on each answer is the last on its connection, so that API servers go elsewhere by themselves. */
  readonly leaving: AbortSignal;
  readonly logger: Logger;
  readonly onRejection: (rejection: Rejection) => void;
  /** For the head of a request to arrive. Default 10 s. */
  readonly headersTimeoutMs?: number;
}

export interface AdmissionServer extends AsyncDisposable {
  readonly address: HostPort;
  readonly rotation: ServerRotation;
  /** Takes nothing new and waits for what is being answered; cuts what is left when the signal aborts. */
  stop(deadline: AbortSignal): Promise<void>;
}

const MAX_CONNECTIONS = 1_024;
/** Longer than the 90 s that API servers keep an idle connection: whoever may use it next is to close it. */
const KEEP_ALIVE_MS = 120_000;

/** HTTPS with a rotating certificate. Nobody is asked for a certificate: API servers have none unless told. */
export async function startAdmissionServer(options: AdmissionServerOptions): Promise<AdmissionServer> {
  const { source, handler, leaving, logger, onRejection, headersTimeoutMs = 10_000 } = options;
  const answering = new Set<ServerResponse>();
  const server = createServer({
    ...serverOptions(source, { clientCertificates: "none" }),
    headersTimeout: headersTimeoutMs,
    // Node.js looks at its time limits so often only: every 30 s by default.
    connectionsCheckingInterval: headersTimeoutMs / 2,
    requestTimeout: 30_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", (request, response) => {
    if (leaving.aborted) response.shouldKeepAlive = false;
    answering.add(response);
    response.once("close", () => answering.delete(response));
    handler(request, response);
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const onLeaving = (): void => {
    for (const response of answering) response.shouldKeepAlive = false;
  };
  leaving.addEventListener("abort", onLeaving, { once: true });
  const rotation = rotateServer(server, source, { clientCertificates: "none", logger, onRejection });

  let stopping: Promise<void> | undefined;
  const stop = async (deadline: AbortSignal): Promise<void> => {
    const cut = (): void => {
      for (const socket of sockets) socket.destroy();
    };
    onLeaving();
    stopping ??= new Promise((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
    if (deadline.aborted) cut();
    else deadline.addEventListener("abort", cut, { once: true });
    await stopping;
  };
  const dispose = async (): Promise<void> => {
    leaving.removeEventListener("abort", onLeaving);
    await stop(AbortSignal.abort());
    await rotation[Symbol.asyncDispose]();
  };
  try {
    const address = await listenOn(server, options.listen);
    return { address, rotation, stop, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await rotation[Symbol.asyncDispose]();
    throw error;
  }
}

async function listenOn(server: Server, { host, port }: HostPort): Promise<HostPort> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${formatHostPort({ host, port })}: ${cause.code ?? cause.message}`;
      const hint = "choose another address with --listen";
      reject(new DaemonError("ERR_DAEMON_LISTEN", message, { hint, cause }));
    });
    server.listen({ host, port }, resolve);
  });
  const bound = server.address() as AddressInfo;
  return { host: bound.address, port: bound.port };
}
