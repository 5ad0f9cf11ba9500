import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import pg from "pg";
import { RotationError } from "../error.ts";
import type { Generation } from "../generation.ts";
import type { IdentitySource } from "../identity-source.ts";
import type { Logger } from "../logger.ts";
import type { ClientTls } from "./client-tls.ts";
import { explainConnectFailure } from "./pg-certificate-failure.ts";

/** What the clients of one pool share. */
export interface PgClientContext {
  readonly source: IdentitySource;
  readonly tls: (generation: Generation) => ClientTls;
  readonly logger: Logger;
  readonly anonymous: boolean | undefined;
  /** A connection shakes hands with this generation; `socket` closes when it is gone. */
  opened(socket: Duplex, generation: Generation): void;
  /** It failed before it was ready; `error` is what the pool reports. */
  failed(error: Error, generation: Generation): void;
}

type ConnectCallback = (error: Error | null, client?: GenerationClient) => void;

/**
 * A client whose TLS options are read when the handshake begins, so that a rotation between connecting and the
 * server's answer to the SSLRequest is not missed, and which remembers the generation it was opened with.
 */
export class GenerationClient extends pg.Client {
  readonly #context: PgClientContext;
  #generation: Generation;
  #verified = false;

  constructor(config: pg.ClientConfig, context: PgClientContext) {
    const socket = config.stream?.() ?? new Socket();
    const ssl = {
      // `pg` copies these when the server has agreed to speak TLS, and adds socket, host and servername.
      get secureContext(): ClientTls["secureContext"] {
        return begin().secureContext;
      },
      rejectUnauthorized: true,
      checkServerIdentity: (...shown: Parameters<ClientTls["checkServerIdentity"]>) => check(...shown),
    };
    // The pool hides the password from enumeration.
    const { password } = config;
    super({ ...config, ...(password === undefined ? {} : { password }), ssl, stream: () => socket });
    if ((this.ssl as unknown) !== ssl) {
      throw new RotationError("ERR_ROTATION_OPTIONS", "the TLS options of the identity were overridden");
    }
    this.#context = context;
    this.#generation = context.source.current();
    const begin = (): ClientTls => {
      this.#generation = context.source.current();
      context.opened(socket, this.#generation);
      return context.tls(this.#generation);
    };
    const check: ClientTls["checkServerIdentity"] = (hostname, shown) => {
      const refused = context.tls(this.#generation).checkServerIdentity(hostname, shown);
      this.#verified = refused === undefined;
      return refused;
    };
    // Also while somebody has it checked out, when the pool does not listen: a lost connection must not be what
    // ends the process. Queries under way are rejected all the same.
    this.on("error", (error: Error) => context.logger.debug({ error: error.message }, "connection lost"));
  }

  /** The one that the handshake was made with. */
  get generation(): Generation {
    return this.#generation;
  }

  override connect(): Promise<this>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<this> | undefined {
    if (callback === undefined) {
      return new Promise((resolve, reject) =>
        this.connect((error) => (error ? reject(error) : resolve(this))),
      );
    }
    super.connect((error: Error | null) => callback(error && this.#explain(error), this));
    return undefined;
  }

  #explain(error: Error): Error {
    const explained = explainConnectFailure(
      error,
      { verified: this.#verified, anonymous: this.#context.anonymous },
      this.#generation,
    );
    this.#context.failed(explained, this.#generation);
    return explained;
  }
}
