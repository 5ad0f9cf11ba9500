import { ServerResponse } from "node:http";
import { constants, type ServerHttp2Session } from "node:http2";
import type { Server, Socket } from "node:net";

/** The open connections of a server that someone else accepts, and a way to end them without losing a request. */
export interface ConnectionLedger {
  readonly size: number;
  /**
   * Stops listening, tells clients to go (`Connection: close`, GOAWAY), closes idle connections, and resolves when
   * the last one has ended; when the signal aborts, those that are left are cut.
   */
  stop(signal: AbortSignal): Promise<void>;
}

/** Attach it after the server's own listeners. */
export function createConnectionLedger(server: Server): ConnectionLedger {
  return new Ledger(server);
}

const LAST_STREAM = 2 ** 31 - 1;
const FAREWELL_MS = 50;

class Ledger implements ConnectionLedger {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #responses = new Set<ServerResponse>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #stopping = false;
  #onEmpty: (() => void) | undefined;

  constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket: Socket) => this.#keep(this.#sockets, socket));
    server.on("session", (session: ServerHttp2Session) => this.#keep(this.#sessions, session));
    for (const event of ["request", "checkContinue"]) {
      if (server.listenerCount(event) > 0)
        server.prependListener(event, (_, response) => this.#answering(response));
    }
  }

  get size(): number {
    return this.#sockets.size;
  }

  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping = true;
    if (this.#server.listening) this.#server.close();
    for (const response of this.#responses) response.shouldKeepAlive = false;
    for (const session of this.#sessions) sayFarewell(session);
    this.#closeIdle();
    await this.#empty(signal);
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep<T extends { once(event: "close", listener: () => void): unknown }>(set: Set<T>, entry: T): void {
    set.add(entry);
    entry.once("close", () => {
      set.delete(entry);
      if (this.#sockets.size === 0) this.#onEmpty?.();
    });
  }

  #answering(response: unknown): void {
    if (!(response instanceof ServerResponse)) return;
    if (this.#stopping) response.shouldKeepAlive = false;
    this.#responses.add(response);
    response.once("close", () => {
      this.#responses.delete(response);
      // Its headers may have promised to keep the connection before we knew that we would stop.
      if (this.#stopping) setImmediate(() => this.#closeIdle());
    });
  }

  #closeIdle(): void {
    const { closeIdleConnections } = this.#server as Server & { closeIdleConnections?: () => void };
    closeIdleConnections?.call(this.#server);
  }

  #empty(signal: AbortSignal): Promise<void> {
    if (this.#sockets.size === 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

/** In the two steps of RFC 9113 section 6.8: what is on its way when the first GOAWAY is sent is still answered. */
function sayFarewell(session: ServerHttp2Session): void {
  if (session.destroyed || session.closed) return;
  session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM);
  const timer = setTimeout(() => session.close(), FAREWELL_MS);
  session.once("close", () => clearTimeout(timer));
}
