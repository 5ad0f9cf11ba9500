/**
 * Mutual TLS with rotating certificates for undici and for `fetch`.
 *
 * ```ts
 * import { watchFiles } from "@newleaf/rotation";
 * import { createRotatingDispatcher } from "@newleaf/rotation/undici";
 * import { setGlobalDispatcher } from "undici";
 *
 * const identity = await watchFiles({ directory: "/etc/tls" });
 * setGlobalDispatcher(createRotatingDispatcher(identity));
 * const response = await fetch("https://backend.shop.svc/");
 * ```
 *
 * @module
 */
import type { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { Agent, buildConnector, Dispatcher } from "undici";
import { systemClock } from "./clock.ts";
import type { Consumer, DrainReport } from "./consumer.ts";
import type { Generation } from "./generation.ts";
import type { IdentitySource } from "./identity-source.ts";
import { explainRefusal, isConnectionClosed, isRepeatable } from "./internal/client-refusal.ts";
import {
  type ClientTls,
  createClientTls,
  type ServerTrustOptions,
  withoutServerTrust,
} from "./internal/client-tls.ts";
import { withDeadline } from "./internal/deadline.ts";
import { createGenerationConnections } from "./internal/generation-connections.ts";
import { interceptFailure } from "./internal/retry-handler.ts";
import { type Rotation, type RotationOptions, startRotation } from "./rotation.ts";

export interface RotatingDispatcherOptions
  extends Omit<Agent.Options, keyof ServerTrustOptions | "connect" | "tls" | "factory">,
    ServerTrustOptions,
    RotationOptions {
  /** Options of the connection that the generation does not decide: `timeout`, `servername`, `localAddress`. */
  readonly connect?: Omit<buildConnector.BuildOptions, keyof ClientTls | "maxCachedSessions" | "session">;
}

export interface RotatingDispatcher extends Dispatcher, AsyncDisposable {
  /** The record of this dispatcher's rotations. */
  readonly rotation: Rotation;
}

/**
 * An undici `Dispatcher`, for `fetch(url, { dispatcher })`, `request` and `setGlobalDispatcher`. Each generation has
 * an agent of its own; the one before it finishes what it has in flight and closes. An idempotent request with a
 * body that can be sent again is repeated once if its connection was closed before any answer. `close` and disposal
 * let requests finish, within `closeTimeoutMs`.
 */
export function createRotatingDispatcher(
  source: IdentitySource,
  options: RotatingDispatcherOptions = {},
): RotatingDispatcher {
  return new GenerationDispatcher(source, options);
}

const EVENTS = ["connect", "disconnect", "connectionError", "drain"] as const;

class GenerationDispatcher extends Dispatcher implements RotatingDispatcher {
  readonly rotation: Rotation;
  readonly #source: IdentitySource;
  readonly #tls: (generation: Generation) => ClientTls;
  readonly #options: RotatingDispatcherOptions;
  readonly #sockets = createGenerationConnections<Duplex>();
  readonly #closing = new Map<Agent, Promise<void>>();
  #generation: Generation;
  #connector: buildConnector.connector;
  #agent: Agent;
  #disposal: Promise<void> | undefined;

  constructor(source: IdentitySource, options: RotatingDispatcherOptions) {
    super();
    this.#source = source;
    this.#tls = createClientTls(source, options);
    this.#options = options;
    this.#generation = source.current();
    this.#connector = this.#createConnector(this.#generation);
    this.#agent = this.#createAgent();
    const consumer: Consumer = {
      name: "undici",
      load: (generation) => this.#load(generation),
      drain: (generation, signal) => this.#drain(generation, signal),
    };
    this.rotation = startRotation(source, [consumer], options);
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    // The engine's turn comes a few microtasks after the source's: nothing is sent with the old identity meanwhile.
    this.#load(this.#source.current());
    let repeatable = isRepeatable(options.method, options.body) && !options.upgrade;
    const intercepted = interceptFailure(handler, {
      failed: (error, answered) => {
        if (!repeatable || answered || !isConnectionClosed(error)) return this.#explain(error);
        repeatable = false;
        this.#agent.dispatch(options, intercepted);
        return undefined;
      },
      upgraded: (socket) => this.#sockets.release(socket),
    });
    return this.#agent.dispatch(options, intercepted);
  }

  override close(callback: () => void): void;
  override close(): Promise<void>;
  override close(callback?: () => void): Promise<void> | undefined {
    const closed = this[Symbol.asyncDispose]();
    if (!callback) return closed;
    void closed.then(callback);
    return undefined;
  }

  override destroy(error: Error | null, callback: () => void): void;
  override destroy(callback: () => void): void;
  override destroy(error?: Error | null): Promise<void>;
  override destroy(first?: Error | null | (() => void), second?: () => void): Promise<void> | undefined {
    const callback = typeof first === "function" ? first : second;
    const destroyed = this.#destroy(typeof first === "function" ? null : (first ?? null));
    if (!callback) return destroyed;
    void destroyed.then(callback);
    return undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  #load(generation: Generation): void {
    if (generation.number <= this.#generation.number) return;
    const old = this.#agent;
    this.#generation = generation;
    this.#connector = this.#createConnector(generation);
    this.#agent = this.#createAgent();
    this.#closing.set(
      old,
      old.close().finally(() => this.#closing.delete(old)),
    );
  }

  async #drain(generation: Generation, signal: AbortSignal): Promise<DrainReport> {
    const report = await this.#sockets.drained(generation.number, signal);
    await Promise.all(this.#closing.values());
    return report;
  }

  #createConnector(generation: Generation): buildConnector.connector {
    const tls = this.#tls(generation);
    const connect = buildConnector({ ...this.#options.connect, ...tls, maxCachedSessions: 0 });
    return (options, callback) =>
      connect(options, (...[error, socket]) => {
        if (error) return callback(error, null);
        this.#sockets.add(socket, generation.number);
        callback(null, socket);
      });
  }

  #createAgent(): Agent {
    const { connect: _, ...agentOptions } = withoutServerTrust(this.#options);
    // Through `this`: an agent that is closing may still open connections for what it has queued, and those are
    // opened with the current generation, not with its own.
    const agent = new Agent({
      ...agentOptions,
      connect: (options, callback) => this.#connector(options, callback),
    });
    for (const event of EVENTS) forward(event, agent, this);
    return agent;
  }

  #explain(error: Error): Error {
    const socket = "socket" in error ? (error.socket as { bytesRead?: number } | null) : undefined;
    const { anonymous } = this.#options;
    const established = socket?.bytesRead !== undefined;
    const connection = { established, bytesRead: socket?.bytesRead ?? 0, anonymous };
    return explainRefusal(error, connection, this.#generation);
  }

  async #dispose(): Promise<void> {
    const { clock = systemClock, closeTimeoutMs = 5_000 } = this.#options;
    await this.rotation[Symbol.asyncDispose]();
    const closing = Promise.all([this.#agent.close(), ...this.#closing.values()]);
    const never = new AbortController().signal;
    await withDeadline(clock, closeTimeoutMs, never, () => closing).catch(() => this.#destroy(null));
  }

  async #destroy(error: Error | null): Promise<void> {
    const agents = [this.#agent, ...this.#closing.keys()];
    await Promise.all([...agents.map((agent) => agent.destroy(error)), this.rotation[Symbol.asyncDispose]()]);
  }
}

function forward(event: string, from: EventEmitter, to: EventEmitter): void {
  from.on(event, (origin: URL, targets: readonly unknown[] = [], ...rest: unknown[]) => {
    to.emit(event, origin, [to, ...targets], ...rest);
  });
}
