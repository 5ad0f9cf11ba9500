import { Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";
import type { Server, TLSSocket } from "node:tls";
import { EKU } from "@newleaf/x509";
import { type Clock, systemClock } from "./clock.ts";
import type { Consumer, DrainReport } from "./consumer.ts";
import type { DrainOptions } from "./drain.ts";
import { RotationError } from "./error.ts";
import type { Generation } from "./generation.ts";
import type { IdentitySource } from "./identity-source.ts";
import { type Acceptor, acceptConnections, announceRefusal } from "./internal/accept-connections.ts";
import { type ClientCheck, checkByGuard, checkNobody } from "./internal/client-check.ts";
import { Connection } from "./internal/connection.ts";
import { handshakeContext } from "./internal/handshake-context.ts";
import { interceptRequests } from "./internal/intercept-requests.ts";
import { LiveConnections } from "./internal/live-connections.ts";
import { createRejectionLog, type RejectionCounts, type RejectionLog } from "./internal/rejection-log.ts";
import { releaseControl } from "./internal/release-control.ts";
import { remoteAddress } from "./internal/remote-address.ts";
import { createSelfCheck, type SelfCheck } from "./internal/self-check.ts";
import { type Logger, silentLogger } from "./logger.ts";
import { createPeerGuard } from "./peer-guard.ts";
import { type Rejection, rejectedPeer } from "./rejection.ts";
import { type Rotation, type RotationOptions, startRotation } from "./rotation.ts";
import type { ServedReport } from "./served.ts";
import { HANDSHAKE_TIMEOUT_MS } from "./server-options.ts";
import type { Authorizer } from "./verified-peer.ts";

/** How the connections of a server are accepted and drained, and who may come in. */
export type ServerConsumerOptions = ServerOptionsOfAll & (MutualOptions | ServerOnlyOptions);

interface MutualOptions {
  /** Who may come in. There is no default; `allow.any()` says that the trust bundle alone decides. */
  readonly authorize: Authorizer;
  readonly clientCertificates?: "required";
}

interface ServerOnlyOptions {
  /**
   * TLS that is not mutual: no client is asked who it is, everyone comes in, and `peerOf` knows nobody. To be said to
   * `serverOptions` as well.
   */
  readonly clientCertificates: "none";
  readonly authorize?: never;
}

interface ServerOptionsOfAll extends DrainOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** From the TCP connection to the end of the handshake: 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** Called for every rejection, also those that a flood keeps out of the log. Must not throw. */
  readonly onRejection?: (rejection: Rejection) => void;
  /** As records and reports show it: `server`. */
  readonly name?: string;
}

export interface ServerStats {
  /** Open connections, all and by the generation whose certificate they were served. */
  readonly connections: number;
  readonly byGeneration: Readonly<Record<number, number>>;
  /** Let in so far. */
  readonly handshakes: { readonly full: number; readonly resumed: number };
  /** Not let in, or not let go on, so far. */
  readonly rejections: RejectionCounts;
}

/** A server as a consumer of generations. After disposal it accepts no more connections; open ones stay guarded. */
export interface ServerConsumer extends Required<Consumer>, AsyncDisposable {
  stats(): ServerStats;
}

export interface ServerRotation extends Rotation {
  stats(): ServerStats;
}

/**
 * Takes over the handshakes of a `tls.Server`, `https.Server` or secure http2 server. Attach it before the server
 * listens: connections that are open already are refused at their next request. The server itself stays the
 * caller's, to listen and to close.
 */
export function createServerConsumer(
  server: Server,
  source: IdentitySource,
  options: ServerConsumerOptions,
): ServerConsumer {
  return new RotatingServer(server, source, options);
}

/** Rotates a server with its source: `createServerConsumer` and `startRotation` in one. Disposal stops both. */
export function rotateServer(
  server: Server,
  source: IdentitySource,
  options: ServerConsumerOptions & Omit<RotationOptions, "drainTimeoutMs">,
): ServerRotation {
  const consumer = createServerConsumer(server, source, options);
  // Every connection has a deadline of its own; one that lasts as long as it may is no failure of the rotation.
  const rotation = startRotation(source, [consumer], {
    ...options,
    drainTimeoutMs: Number.POSITIVE_INFINITY,
  });
  const disposeRotation = rotation[Symbol.asyncDispose].bind(rotation);
  return Object.assign(rotation, {
    stats: () => consumer.stats(),
    async [Symbol.asyncDispose]() {
      await disposeRotation();
      await consumer[Symbol.asyncDispose]();
    },
  });
}

class RotatingServer implements ServerConsumer {
  readonly name: string;
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #check: ClientCheck;
  readonly #rejections: RejectionLog;
  readonly #selfCheck: SelfCheck;
  readonly #acceptor: Acceptor;
  readonly #connections: LiveConnections;
  readonly #handshakes = { full: 0, resumed: 0 };
  readonly #speaksHttp: boolean;
  #current: Generation;

  constructor(server: Server, source: IdentitySource, options: ServerConsumerOptions) {
    const { clock = systemClock, logger = silentLogger, onRejection } = options;
    this.name = options.name ?? "server";
    this.#server = server;
    this.#clock = clock;
    this.#current = source.current();
    this.#check = clientCheck(options, clock);
    this.#rejections = createRejectionLog({ clock, logger, onRejection });
    this.#selfCheck = createSelfCheck(server, clock);
    this.#speaksHttp = server instanceof HttpsServer || "updateSettings" in server;
    this.#acceptor = acceptConnections(server, {
      clock,
      handshakeTimeoutMs: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
      generation: () => this.#current,
      demandsCertificate: this.#check.demandsCertificate,
      isSelfCheck: (asked) => this.#selfCheck.recognizes(asked),
      onSecure: (socket, arrival) => this.#onSecure(socket, arrival),
      onFailure: (failure) => {
        this.#reject({ ...failure, resumed: false, phase: "handshake" });
        this.#connections.settle();
      },
    });
    this.#connections = new LiveConnections({
      clock,
      logger,
      drain: options,
      check: this.#check,
      current: () => this.#current,
      oldestUnderWay: () => this.#acceptor.oldestUnderWay(),
      onRejection: (rejection) => this.#reject(rejection),
    });
    interceptRequests(server, {
      admits: (connection) => this.#connections.admits(connection),
      refuse: (socket) => this.#refuseStranger(socket),
    });
  }

  load(generation: Generation): void | Promise<void> {
    demandServerUse(generation);
    // Made now, not at the first handshake.
    handshakeContext(generation, this.#check);
    this.#current = generation;
    return this.#connections.sweep();
  }

  prove(generation: Generation, signal: AbortSignal): Promise<readonly ServedReport[]> {
    return this.#selfCheck.prove(generation, signal);
  }

  drain(generation: Generation, signal: AbortSignal): Promise<DrainReport> {
    return unlessAborted(this.#connections.drain(generation.number), signal);
  }

  stats(): ServerStats {
    return {
      connections: this.#connections.size,
      byGeneration: this.#connections.byGeneration(),
      handshakes: { ...this.#handshakes },
      rejections: this.#rejections.counts(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#acceptor.close();
    this.#connections.close();
    this.#rejections.close();
  }

  #onSecure(socket: TLSSocket, { address, generation }: { address: string; generation: Generation }): void {
    const resumed = socket.isSessionReused();
    // Against the current generation, not the one the handshake was begun with: trust may have shrunk since.
    const verdict = this.#check.admit(socket, address, this.#current);
    if (verdict.ok) {
      this.#letIn(
        new Connection(socket, {
          peer: verdict.peer,
          address,
          resumed,
          servedBy: generation,
          checkedBy: this.#current.number,
          activity: this.#speaksHttp ? "http" : "opaque",
          since: this.#clock.now(),
        }),
      );
      return;
    }
    const { code, message, leaf } = verdict;
    socket.destroy();
    this.#reject({
      code,
      message,
      address,
      resumed,
      phase: "handshake",
      ...(leaf && { peer: rejectedPeer(leaf) }),
    });
    announceRefusal(this.#server, socket, new Error(`${code}: ${message}`));
    this.#connections.settle();
  }

  #letIn(connection: Connection): void {
    const { socket, peer, resumed } = connection;
    this.#handshakes[resumed ? "resumed" : "full"] += 1;
    this.#connections.add(connection);
    socket.authorized = peer !== undefined;
    releaseControl(socket);
    this.#server.emit("secureConnection", socket);
  }

  #refuseStranger(socket: Duplex): void {
    const address = remoteAddress(socket as TLSSocket);
    socket.destroy();
    const message = "a request on a connection from before this server was given to a rotation";
    this.#reject({ code: "not_admitted", message, address, resumed: false, phase: "established" });
  }

  #reject(rejection: Omit<Rejection, "at">): void {
    this.#rejections.record({ ...rejection, at: new Date(this.#clock.now()) });
  }
}

function clientCheck({ authorize, clientCertificates }: ServerConsumerOptions, clock: Clock): ClientCheck {
  if (clientCertificates !== "none") return checkByGuard(createPeerGuard({ authorize, clock }));
  if (authorize === undefined) return checkNobody();
  const message = "without client certificates there is nobody to authorize";
  throw new RotationError("ERR_ROTATION_OPTIONS", message);
}

/** The gate cannot know that its identity is for a server; what every client would refuse is not served. */
function demandServerUse({ number, leaf }: Generation): void {
  const usages = leaf.extendedKeyUsage;
  if (!usages || usages.includes(EKU.serverAuth) || usages.includes(EKU.any)) return;
  const what = `generation ${number} (serial ${leaf.serialNumber}) is not for servers by its extended key usage`;
  throw new RotationError("ERR_ROTATION_OPTIONS", `${what}; keeping the certificate before`);
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
