import type { ClientRequest, ClientRequestArgs } from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { systemClock } from "./clock.ts";
import type { Consumer, DrainReport } from "./consumer.ts";
import { RotationError } from "./error.ts";
import type { Generation } from "./generation.ts";
import type { IdentitySource } from "./identity-source.ts";
import { explainRefusal } from "./internal/client-refusal.ts";
import {
  type ClientTls,
  createClientTls,
  type ServerTrustOptions,
  withoutServerTrust,
} from "./internal/client-tls.ts";
import { withDeadline } from "./internal/deadline.ts";
import { createGenerationConnections } from "./internal/generation-connections.ts";
import { type Rotation, type RotationOptions, startRotation } from "./rotation.ts";

/**
 * Options of `https.Agent` but for what the generation decides. `keepAlive` is on unless said otherwise; sessions
 * are not cached, since Node does not verify the server of a resumed one (docs/decisions/0005).
 */
export interface RotatingAgentOptions
  extends Omit<https.AgentOptions, keyof ServerTrustOptions | DecidedByGeneration>,
    ServerTrustOptions,
    RotationOptions {}

type DecidedByGeneration =
  | "ca"
  | "cert"
  | "key"
  | "pfx"
  | "crl"
  | "secureContext"
  | "rejectUnauthorized"
  | "checkServerIdentity"
  | "maxCachedSessions"
  | "session";

export interface RotatingAgent extends https.Agent, AsyncDisposable {
  /** The record of this agent's rotations. */
  readonly rotation: Rotation;
}

/**
 * An `https.Agent` for node:https, axios, got and others that always connects with the current generation. After a
 * rotation idle connections are closed from this side, busy ones finish and are not reused, and requests waiting
 * for a socket move to the new generation, so nothing is lost. A request that a server cuts off cannot be repeated
 * by an agent: that is up to the caller, or to `createRotatingDispatcher`. Disposal lets busy connections finish,
 * within `closeTimeoutMs`; requests made later fail with ERR_ROTATION_CLOSED.
 */
export function createRotatingAgent(
  source: IdentitySource,
  options: RotatingAgentOptions = {},
): RotatingAgent {
  return new GenerationAgent(source, options);
}

/** What every https.Agent has and its types lack: where each request enters, and the answer to "keep it?". */
interface Untyped {
  addRequest(this: https.Agent, request: ClientRequest, options: https.RequestOptions): void;
  keepSocketAlive(this: https.Agent, socket: Duplex): boolean;
}

/** Part of the options of each connection, so that `getName` finds there what it was opened with. */
interface TaggedOptions extends https.AgentOptions {
  newleafGeneration?: number;
}

const base = https.Agent.prototype as unknown as Untyped;

// With an error there is no stream, which the types of Node do not know.
const UNUSED = undefined as unknown as Duplex;

class GenerationAgent extends https.Agent implements RotatingAgent {
  readonly rotation: Rotation;
  readonly #source: IdentitySource;
  readonly #tls: (generation: Generation) => ClientTls;
  readonly #options: RotatingAgentOptions;
  readonly #open = createGenerationConnections<Socket>();
  readonly #openedWith = new WeakMap<Socket, Generation>();
  readonly #queued = new WeakMap<ClientRequest, https.RequestOptions>();
  #generation: Generation;
  #disposal: Promise<void> | undefined;

  constructor(source: IdentitySource, options: RotatingAgentOptions) {
    const agentOptions = withoutServerTrust(options);
    super({ keepAlive: true, ...agentOptions, maxCachedSessions: 0 });
    this.#source = source;
    this.#tls = createClientTls(source, options);
    this.#options = options;
    this.#generation = source.current();
    this.#use(this.#generation);
    const consumer: Consumer = {
      name: "https-agent",
      load: (generation) => this.#load(generation),
      drain: (generation, signal) => this.#drain(generation.number, signal),
    };
    this.rotation = startRotation(source, [consumer], options);
  }

  addRequest(request: ClientRequest, options: https.RequestOptions): void {
    // The engine's turn comes a few microtasks after the source's: nothing is sent with the old identity meanwhile.
    this.#load(this.#source.current());
    this.#explainErrors(request);
    this.#queued.set(request, options);
    base.addRequest.call(this, request, options);
  }

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex {
    if (this.#disposal !== undefined) {
      callback?.(new RotationError("ERR_ROTATION_CLOSED", "the agent was disposed"), UNUSED);
      return UNUSED;
    }
    const socket = super.createConnection(options, callback);
    if (socket instanceof TLSSocket) {
      this.#open.add(socket, this.#generation.number);
      this.#openedWith.set(socket, this.#generation);
      // Emitted at an upgrade: the socket belongs to the application from then on.
      socket.once("agentRemove", () => this.#open.release(socket));
    }
    return socket;
  }

  // From the options, which stay with the socket: a tag read from `this` would change under sockets in use, and
  // they would be returned to a pool that they were not taken from.
  override getName(options?: ClientRequestArgs & TaggedOptions): string {
    return `${super.getName(options)}:${options?.newleafGeneration ?? ""}`;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    if (this.#disposal !== undefined || this.#openedWith.get(socket as Socket) !== this.#generation)
      return false;
    return base.keepSocketAlive.call(this, socket);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  #use(generation: Generation): void {
    const tagged: TaggedOptions = this.options;
    Object.assign(tagged, this.#tls(generation));
    tagged.newleafGeneration = generation.number;
  }

  #load(generation: Generation): void {
    if (generation.number <= this.#generation.number) return;
    this.#generation = generation;
    this.#use(generation);
    // Requests waiting for a free socket wait under the name of the old generation, where no new socket will ever
    // look for them: they enter again, under the new name.
    const queues = this.requests as unknown as Record<string, ClientRequest[]>;
    for (const [name, queue] of Object.entries(queues)) {
      delete queues[name];
      for (const request of queue) {
        base.addRequest.call(this, request, this.#queued.get(request) ?? {});
      }
    }
  }

  #drain(generation: number, signal: AbortSignal): Promise<DrainReport> {
    const drained = this.#open.drained(generation, signal);
    this.#closeIdle(generation);
    return drained;
  }

  #closeIdle(generation: number): void {
    const idle = new Set(Object.values(this.freeSockets).flatMap((sockets) => sockets ?? []));
    for (const socket of this.#open.olderThan(generation)) if (idle.has(socket)) socket.destroySoon();
  }

  #explainErrors(request: ClientRequest): void {
    const emit = request.emit;
    request.emit = (event: string | symbol, ...values: unknown[]): boolean => {
      const [error] = values;
      if (event !== "error" || !(error instanceof Error)) return emit.call(request, event, ...values);
      return emit.call(request, event, this.#explain(error, request.socket));
    };
  }

  #explain(error: Error, socket: Socket | null): Error {
    const generation = (socket && this.#openedWith.get(socket)) ?? this.#generation;
    const established = socket instanceof TLSSocket && socket.authorized;
    const { anonymous } = this.#options;
    return explainRefusal(error, { established, bytesRead: socket?.bytesRead ?? 0, anonymous }, generation);
  }

  async #dispose(): Promise<void> {
    const { clock = systemClock, closeTimeoutMs = 5_000 } = this.#options;
    await this.rotation[Symbol.asyncDispose]();
    const never = new AbortController().signal;
    const everything = Number.POSITIVE_INFINITY;
    await withDeadline(clock, closeTimeoutMs, never, (signal) => this.#drain(everything, signal)).catch(
      () => {},
    );
    this.destroy();
  }
}
