import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createNetServer, type Server, type Socket } from "node:net";
import { type Logger, usageError } from "@newleaf/daemon";
import {
  type Authorizer,
  createRotatingAgent,
  type IdentitySource,
  type RotatingAgent,
  type Rotation,
} from "@newleaf/rotation";
import { createConnectionLedger } from "./connection-ledger.ts";
import { dialTls } from "./dial.ts";
import { type ForwardOptions, forwardRequest } from "./forward-http.ts";
import { forwardUpgrade } from "./forward-upgrade.ts";
import { type Headers, without } from "./headers.ts";
import { HEADERS_TIMEOUT_MS, KEEP_ALIVE_TIMEOUT_MS, type ProxyLimits } from "./limits.ts";
import { formatListenAddress, isLocal, type ListenAddress, listen } from "./listener.ts";
import type { ClientTarget } from "./target.ts";
import { createFailureReport } from "./target-failure.ts";
import { tunnel } from "./tunnel.ts";
import { createMtlsUpstream } from "./upstream.ts";

export interface ProxyClientOptions {
  readonly listen: ListenAddress;
  readonly target: ClientTarget;
  readonly source: IdentitySource;
  /** Name to ask for and to find in the server's certificate, instead of the target's host. */
  readonly serverName?: string;
  /** Decides about the server by its names instead of its host. */
  readonly authorizeServer?: Authorizer;
  /** Send the Host field as the application wrote it, instead of the target's authority. */
  readonly preserveHost?: boolean;
  /** Allow plain text to come from other machines. */
  readonly allowRemote?: boolean;
  readonly limits: ProxyLimits;
  readonly logger: Logger;
  readonly onFailure?: (reason: string) => void;
}

/** A listening proxy. `stop` lets what is under way finish until the signal aborts; disposal cuts. */
export interface RunningProxy extends AsyncDisposable {
  readonly address: ListenAddress;
  readonly rotation: Rotation;
  readonly connections: number;
  stop(signal: AbortSignal): Promise<void>;
}

/** Listens for plain text from this machine and passes it on over mTLS with the current certificate. */
export async function startProxyClient(options: ProxyClientOptions): Promise<RunningProxy> {
  const { source, limits, logger } = options;
  requireLocal(options.listen, options.allowRemote ?? false);
  const agent = createRotatingAgent(source, {
    maxSockets: limits.maxConnections,
    scheduling: "lifo",
    logger,
    ...(options.serverName === undefined ? {} : { servername: options.serverName }),
    ...(options.authorizeServer ? { authorizeServer: options.authorizeServer } : {}),
  });
  const server = options.target.kind === "https" ? httpSide(options, agent) : byteSide(options, agent);
  server.maxConnections = limits.maxConnections;
  const ledger = createConnectionLedger(server);
  try {
    const address = await listen(server, options.listen);
    return {
      address,
      rotation: agent.rotation,
      get connections() {
        return ledger.size;
      },
      stop: (signal) => ledger.stop(signal),
      [Symbol.asyncDispose]: async () => {
        await ledger.stop(AbortSignal.abort());
        await agent[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    throw error;
  }
}

/** A usage error for an address that plain text from other machines could come to, unless that is wanted. */
export function requireLocal(address: ListenAddress, allowRemote: boolean): void {
  if (isLocal(address) || allowRemote) return;
  throw usageError(
    `${formatListenAddress(address)} would take plain text from other machines, and speak for them with our certificate`,
    "listen on 127.0.0.1 or unix:/PATH, or say --insecure-plaintext-listen",
  );
}

function httpSide(options: ProxyClientOptions, agent: RotatingAgent): HttpServer {
  const { target, limits, preserveHost = false } = options;
  const forward: ForwardOptions = {
    upstream: createMtlsUpstream(target, agent),
    timeouts: limits.timeouts,
    report: createFailureReport(options.logger, options.onFailure),
    headers: (line, fields) => outgoing(preserveHost ? line.host : target.authority, fields),
  };
  const server = createHttpServer({
    maxHeaderSize: limits.maxHeaderSize,
    headersTimeout: HEADERS_TIMEOUT_MS,
    // A body may stream for hours; one that stalls ends by the idle timeout.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  });
  server.on("request", (request, response) => forwardRequest(forward, request, response));
  server.on("checkContinue", (request, response) => forwardRequest(forward, request, response));
  server.on("upgrade", (request, socket, head) => forwardUpgrade(forward, request, socket, head));
  return server;
}

const OURS: ReadonlySet<string> = new Set(["host", "content-length"]);

function outgoing(host: string, fields: Headers): Headers {
  return [["Host", host], ...without(fields, OURS)];
}

function byteSide(options: ProxyClientOptions, agent: RotatingAgent): Server {
  const { limits, target, logger, onFailure } = options;
  const report = createFailureReport(logger, onFailure);
  const dial = (): Socket => dialTls(agent, target, options.serverName);
  return createNetServer({ allowHalfOpen: true, pauseOnConnect: true }, (inbound) => {
    void tunnel(inbound, dial, { timeouts: limits.timeouts, target: target.name, report });
  });
}
