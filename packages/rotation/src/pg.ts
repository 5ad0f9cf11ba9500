/**
 * Mutual TLS with rotating certificates for PostgreSQL, through `pg` and everything that takes a pool of it.
 *
 * ```ts
 * import { allow, watchFiles } from "@newleaf/rotation";
 * import { createRotatingPool } from "@newleaf/rotation/pg";
 *
 * const identity = await watchFiles({ directory: "/etc/tls" });
 * const pool = createRotatingPool(identity, { host: "db", database: "shop", user: "app" });
 * const { rows } = await pool.query("select now()");
 * ```
 *
 * @module
 */
import type { Duplex } from "node:stream";
import pg from "pg";
import { systemClock, type Timer } from "./clock.ts";
import type { Consumer, DrainReport } from "./consumer.ts";
import type { Generation } from "./generation.ts";
import type { IdentitySource } from "./identity-source.ts";
import { createClientTls, type ServerTrustOptions } from "./internal/client-tls.ts";
import { withDeadline } from "./internal/deadline.ts";
import { createGenerationConnections } from "./internal/generation-connections.ts";
import { isCertificateFailure } from "./internal/pg-certificate-failure.ts";
import { GenerationClient, type PgClientContext } from "./internal/pg-client.ts";
import { refuseUnixSocket, withoutTlsParameters } from "./internal/pg-connection-string.ts";
import { createRenewalWait } from "./internal/renewal-wait.ts";
import { type Logger, silentLogger } from "./logger.ts";
import { type Rotation, type RotationOptions, startRotation } from "./rotation.ts";

/** Options of `pg.Pool` but for what the identity decides. */
export interface RotatingPoolOptions
  extends Omit<pg.PoolConfig, "ssl" | "Client" | "Promise">,
    ServerTrustOptions,
    RotationOptions {
  /**
   * How long a connection is used at most: 1,800 s, less up to a fifth at random for each; 0 for no limit. PostgreSQL
   * does not look again at a certificate that it has let in, so this bounds how long a removed one is served.
   */
  readonly maxLifetimeSeconds?: number;
}

export interface RotatingPool extends pg.Pool, AsyncDisposable {
  /** The record of this pool's rotations. */
  readonly rotation: Rotation;
}

/**
 * A `pg.Pool` whose new connections always present the current generation and verify the server by our own rules
 * (its host name, or `authorizeServer`). After a rotation idle connections of older generations are closed, busy ones
 * when they are released. A connection that failed over a certificate is tried once more with the newest. Lost
 * connections are logged and never end the process. `end` waits until every connection is closed; disposal does not
 * wait for clients that are not released longer than `closeTimeoutMs`.
 */
export function createRotatingPool(source: IdentitySource, options: RotatingPoolOptions = {}): RotatingPool {
  return new GenerationPool(source, options);
}

const DEFAULT_LIFETIME_SECONDS = 1_800;
const EVERYTHING = Number.POSITIVE_INFINITY;

/** What every pg.Pool has and its types lack: how it closes an idle connection and goes on with who waits. */
interface Untyped {
  _remove(this: pg.Pool, client: pg.PoolClient, done: () => void): void;
  _pulseQueue(this: pg.Pool): void;
}

type PoolCallback = Parameters<pg.Pool["connect"]>[0];

class GenerationPool extends pg.Pool implements RotatingPool {
  readonly rotation: Rotation;
  readonly #options: RotatingPoolOptions;
  readonly #logger: Logger;
  readonly #sockets = createGenerationConnections<Duplex>();
  readonly #idle = new Set<pg.PoolClient>();
  readonly #expired = new WeakSet<pg.PoolClient>();
  readonly #failures = new WeakMap<Error, Generation>();
  readonly #renewal: (failed: Generation) => Promise<void>;
  #newest: number;
  #ending: Promise<void> | undefined;
  #disposal: Promise<void> | undefined;

  constructor(source: IdentitySource, options: RotatingPoolOptions) {
    const { clock = systemClock, logger = silentLogger, connectionString, ...others } = options;
    refuseUnixSocket(options.host);
    const context: PgClientContext = {
      source,
      logger,
      anonymous: options.anonymous,
      tls: createClientTls(source, options),
      opened: (socket, generation) => this.#sockets.add(socket, generation.number),
      failed: (error, generation) => {
        if (isCertificateFailure(error)) this.#failures.set(error, generation);
      },
    };
    super({
      ...others,
      ...(connectionString === undefined ? {} : { connectionString: withoutTlsParameters(connectionString) }),
      // The pool's own limit has no jitter, and connections of one burst would end in one.
      maxLifetimeSeconds: 0,
      Client: class extends GenerationClient {
        constructor(config: pg.ClientConfig = {}) {
          super(config, context);
        }
      },
    });
    this.#options = options;
    this.#logger = logger;
    this.#renewal = createRenewalWait(source, clock);
    this.#newest = source.current().number;
    this.on("error", (error) => logger.warn({ error: error.message }, "idle database connection lost"));
    this.#limitLifetimes();
    this.#followUse();
    const consumer: Consumer = {
      name: "pg",
      load: (generation) => {
        this.#newest = generation.number;
      },
      drain: (generation, signal) => this.#drain(generation.number, signal),
    };
    this.rotation = startRotation(source, [consumer], options);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: PoolCallback): void;
  override connect(callback?: PoolCallback): Promise<pg.PoolClient> | undefined {
    if (!callback) {
      return new Promise((resolve, reject) =>
        this.connect((error, client) => (client ? resolve(client) : reject(error))),
      );
    }
    super.connect((error, client, release) => {
      const failed = error && this.#failures.get(error);
      if (!failed) return callback(error, client, release);
      this.#logger.warn(
        { error: error.message, generation: failed.number },
        "database connection failed over a certificate; trying once more",
      );
      void this.#renewal(failed).then(() =>
        this.ending ? callback(error, client, release) : super.connect(callback),
      );
    });
    return undefined;
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | undefined {
    this.#ending ??= this.#end();
    if (!callback) return this.#ending;
    void this.#ending.then(callback);
    return undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  #limitLifetimes(): void {
    const { clock = systemClock, maxLifetimeSeconds = DEFAULT_LIFETIME_SECONDS } = this.#options;
    if (maxLifetimeSeconds === 0) return;
    const timers = new WeakMap<pg.PoolClient, Timer>();
    this.on("connect", (client) => {
      const lifetimeMs = maxLifetimeSeconds * 1_000 * (1 - Math.random() / 5);
      const expire = (): void => {
        this.#expired.add(client);
        this.#closeIdle();
      };
      timers.set(client, clock.setTimeout(expire, lifetimeMs));
    });
    this.on("remove", (client) => timers.get(client)?.cancel());
  }

  #followUse(): void {
    this.on("acquire", (client) => this.#idle.delete(client));
    this.on("remove", (client) => this.#idle.delete(client));
    // Emitted before the pool decides, which takes a client that is ending out of use at once.
    this.on("release", (error, client) => {
      if (this.#isRetired(client)) void client.end();
      else if (!error) this.#idle.add(client);
    });
  }

  #isRetired(client: pg.PoolClient): boolean {
    if (this.#expired.has(client)) return true;
    return client instanceof GenerationClient && client.generation.number < this.#newest;
  }

  #closeIdle(): void {
    const { _remove, _pulseQueue } = this as unknown as Untyped;
    for (const client of this.#idle) {
      if (this.#isRetired(client)) _remove.call(this, client, () => _pulseQueue.call(this));
    }
  }

  #drain(generation: number, signal: AbortSignal): Promise<DrainReport> {
    const drained = this.#sockets.drained(generation, signal);
    this.#closeIdle();
    return drained;
  }

  async #end(): Promise<void> {
    await super.end();
    await this.#closeSockets();
    await this.rotation[Symbol.asyncDispose]();
  }

  async #dispose(): Promise<void> {
    await this.#within(() => this.end());
    await this.#closeSockets();
    await this.rotation[Symbol.asyncDispose]();
  }

  async #closeSockets(): Promise<void> {
    await this.#within((signal) => this.#sockets.drained(EVERYTHING, signal));
    for (const socket of this.#sockets.olderThan(EVERYTHING)) socket.destroy();
  }

  async #within(work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { clock = systemClock, closeTimeoutMs = 5_000 } = this.#options;
    const never = new AbortController().signal;
    await withDeadline(clock, closeTimeoutMs, never, work).catch(() => {});
  }
}
