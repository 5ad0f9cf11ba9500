import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ClientSessionRequestOptions,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  Settings,
} from "node:http2";
import { isIP } from "node:net";
import type { Readable } from "node:stream";
import * as tls from "node:tls";
import { type Clock, systemClock } from "./clock.ts";
import type { Consumer } from "./consumer.ts";
import { RotationError } from "./error.ts";
import type { Generation } from "./generation.ts";
import type { IdentitySource } from "./identity-source.ts";
import { backoffMs } from "./internal/backoff.ts";
import { explainRefusal, isConnectionClosed, isRepeatable } from "./internal/client-refusal.ts";
import { type ClientTls, createClientTls, type ServerTrustOptions } from "./internal/client-tls.ts";
import { delay, withDeadline } from "./internal/deadline.ts";
import { createGenerationConnections } from "./internal/generation-connections.ts";
import { http2 } from "./internal/lazy-http2.ts";
import { type Rotation, type RotationOptions, startRotation } from "./rotation.ts";

export interface RotatingHttp2Options extends ServerTrustOptions, RotationOptions {
  /** SNI and name to verify, instead of the authority's host. */
  readonly servername?: string;
  readonly settings?: Settings;
  /** For TCP, TLS and the session together: 10 s. */
  readonly connectTimeoutMs?: number;
}

export interface Http2RequestOptions {
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

export interface Http2Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end, or destroyed: until then the stream stays open. */
  readonly body: Readable;
}

export interface RotatingHttp2Client extends AsyncDisposable {
  /** The record of this client's rotations. */
  readonly rotation: Rotation;
  /**
   * Sends a request on the current session and resolves with the head of the response. If the session ended before
   * that, it is sent once more: when the server had not begun with it (RFC 9113 section 8.7), or it is idempotent.
   */
  request(headers: OutgoingHttpHeaders, options?: Http2RequestOptions): Promise<Http2Response>;
  /** A stream on the current session, for bodies and calls that stream. Never repeated. */
  stream(headers: OutgoingHttpHeaders, options?: ClientSessionRequestOptions): Promise<ClientHttp2Stream>;
}

/**
 * An HTTP/2 client for one authority ("https://backend:8443"). Connects on first use; a new generation gets a new
 * session and the old one closes when its streams are done. Concurrent requests share one attempt to connect, and
 * attempts after failures are spaced by backoff. Disposal lets streams finish, within `closeTimeoutMs`.
 */
export function connectRotatingHttp2(
  source: IdentitySource,
  authority: string | URL,
  options: RotatingHttp2Options = {},
): RotatingHttp2Client {
  return new GenerationHttp2Client(source, authority, options);
}

const LINGER_MS = 1_000;

class GenerationHttp2Client implements RotatingHttp2Client {
  readonly rotation: Rotation;
  readonly #source: IdentitySource;
  readonly #tls: (generation: Generation) => ClientTls;
  readonly #authority: string | URL;
  readonly #options: RotatingHttp2Options;
  readonly #clock: Clock;
  readonly #sessions = createGenerationConnections<ClientHttp2Session>();
  /** Sessions on which the server has said anything. */
  readonly #answered = new WeakSet<ClientHttp2Session>();
  readonly #control = new AbortController();
  #generation: Generation;
  #current: ClientHttp2Session | undefined;
  #connecting: Promise<ClientHttp2Session> | undefined;
  #failures = 0;
  #disposal: Promise<void> | undefined;

  constructor(source: IdentitySource, authority: string | URL, options: RotatingHttp2Options) {
    this.#source = source;
    this.#tls = createClientTls(source, options);
    this.#authority = authority;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#generation = source.current();
    const consumer: Consumer = {
      name: "http2",
      load: (generation) => this.#load(generation),
      drain: (generation, signal) => this.#sessions.drained(generation.number, signal),
    };
    this.rotation = startRotation(source, [consumer], options);
  }

  async request(
    headers: OutgoingHttpHeaders,
    { body, signal }: Http2RequestOptions = {},
  ): Promise<Http2Response> {
    const method = String(headers[http2().constants.HTTP2_HEADER_METHOD] ?? "GET");
    for (let attempt = 1; ; attempt++) {
      const session = await this.#session(signal);
      try {
        return await send(session, headers, body, signal);
      } catch (error) {
        const again = attempt === 1 && !signal?.aborted && mayRepeat(error, method, body);
        if (!again) throw this.#explain(error, session);
      }
    }
  }

  async stream(
    headers: OutgoingHttpHeaders,
    options?: ClientSessionRequestOptions,
  ): Promise<ClientHttp2Stream> {
    const session = await this.#session(options?.signal);
    return session.request(headers, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  #load(generation: Generation): void {
    if (generation.number <= this.#generation.number) return;
    const old = this.#current;
    this.#generation = generation;
    this.#current = undefined;
    this.#connecting = undefined;
    old?.close();
    // Who had a session will want the next one: connect before being asked.
    if (old) this.#session().catch(() => {});
  }

  async #session(signal?: AbortSignal): Promise<ClientHttp2Session> {
    if (this.#disposal !== undefined)
      throw new RotationError("ERR_ROTATION_CLOSED", "the http2 client was disposed");
    // The engine's turn comes a few microtasks after the source's: nothing is sent with the old identity meanwhile.
    this.#load(this.#source.current());
    if (this.#current) return this.#current;
    this.#connecting ??= this.#connect(this.#generation);
    const connecting = this.#connecting;
    // A caller who gives up does not end an attempt that others wait for.
    return signal ? abortable(connecting, signal) : connecting;
  }

  async #connect(generation: Generation): Promise<ClientHttp2Session> {
    const { connectTimeoutMs = 10_000 } = this.#options;
    const { signal } = this.#control;
    try {
      if (this.#failures > 0) await delay(this.#clock, backoffMs(this.#failures, 50, 5_000), signal);
      const session = await withDeadline(this.#clock, connectTimeoutMs, signal, (attempt) =>
        this.#open(generation, attempt),
      );
      this.#failures = 0;
      if (generation === this.#generation) this.#current = session;
      // Overtaken by a rotation: those who waited for it still send on it, in this turn, and then it closes.
      else setImmediate(() => session.close());
      return session;
    } catch (error) {
      this.#failures += 1;
      throw error;
    } finally {
      if (generation === this.#generation) this.#connecting = undefined;
    }
  }

  #open(generation: Generation, signal: AbortSignal): Promise<ClientHttp2Session> {
    const { settings } = this.#options;
    const session = http2().connect(this.#authority, {
      createConnection: (authority) => this.#openSocket(authority, generation),
      ...(settings ? { settings } : {}),
    });
    this.#sessions.add(session, generation.number);
    session.once("remoteSettings", () => this.#answered.add(session));
    const forget = (): void => {
      if (this.#current === session) this.#current = undefined;
    };
    session.once("goaway", forget).once("close", forget);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => session.destroy(signal.reason), { once: true });
      // Stays: an error of an established session reaches its streams, and must not crash the process as well.
      session.on("error", reject);
      session.once("close", () => reject(new Error("the connection was closed before the session began")));
      session.once("connect", () => resolve(session));
    });
  }

  #openSocket(authority: URL, generation: Generation): tls.TLSSocket {
    const host = authority.hostname.replace(/^\[|\]$/g, "");
    const servername = this.#options.servername ?? (isIP(host) ? undefined : host);
    const socket = tls.connect({
      host,
      port: Number(authority.port || 443),
      ALPNProtocols: ["h2"],
      ...this.#tls(generation),
      ...(servername === undefined ? {} : { servername }),
    });
    // A session that is done says goodbye and waits for the server to close, which some never do.
    socket.once("finish", () => {
      const timer = this.#clock.setTimeout(() => socket.destroy(), LINGER_MS);
      socket.once("close", () => timer.cancel());
    });
    return socket;
  }

  #explain(error: unknown, session: ClientHttp2Session): unknown {
    if (!(error instanceof Error)) return error;
    const bytesRead = this.#answered.has(session) ? 1 : 0;
    const { anonymous } = this.#options;
    return explainRefusal(error, { established: true, bytesRead, anonymous }, this.#generation);
  }

  async #dispose(): Promise<void> {
    const { closeTimeoutMs = 5_000 } = this.#options;
    await this.rotation[Symbol.asyncDispose]();
    this.#control.abort(new RotationError("ERR_ROTATION_CLOSED", "the http2 client was disposed"));
    const everything = Number.POSITIVE_INFINITY;
    for (const session of this.#sessions.olderThan(everything)) session.close();
    const never = new AbortController().signal;
    await withDeadline(this.#clock, closeTimeoutMs, never, (signal) =>
      this.#sessions.drained(everything, signal),
    ).catch(() => {});
    for (const session of this.#sessions.olderThan(everything)) session.destroy();
  }
}

function send(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: string | Uint8Array | undefined,
  signal: AbortSignal | undefined,
): Promise<Http2Response> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined, ...(signal ? { signal } : {}) });
    // Stays: after the head of the response, errors are for the reader of the body.
    stream.on("error", reject);
    stream.once("close", () => reject(new SessionEnded(stream.rstCode)));
    stream.once("response", ({ ":status": status = 0, ...rest }) =>
      resolve({ status, headers: rest, body: stream }),
    );
    if (body !== undefined) stream.end(body);
  });
}

/** Node closes the streams of a session that ended without an error of their own. */
class SessionEnded extends Error {
  readonly code = "ECONNRESET";
  readonly rstCode: number;

  constructor(rstCode: number) {
    super(`the stream ended before the response (code ${rstCode})`);
    this.rstCode = rstCode;
  }
}

function mayRepeat(error: unknown, method: string, body: string | Uint8Array | undefined): boolean {
  return notBegun(error) || (isRepeatable(method, body) && isConnectionClosed(error));
}

/** RFC 9113 section 8.7: the server did nothing with it, so that any request may be repeated. */
function notBegun(error: unknown): boolean {
  if (error instanceof SessionEnded) return error.rstCode === http2().constants.NGHTTP2_REFUSED_STREAM;
  if (!(error instanceof Error) || !("code" in error)) return false;
  const { code } = error;
  if (code === "ERR_HTTP2_GOAWAY_SESSION" || code === "ERR_HTTP2_INVALID_SESSION") return true;
  return code === "ERR_HTTP2_STREAM_ERROR" && error.message.includes("NGHTTP2_REFUSED_STREAM");
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
