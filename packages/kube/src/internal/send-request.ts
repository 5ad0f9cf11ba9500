import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { KubeRequest, KubeResponse } from "../transport.ts";
import { incomingChunks } from "./incoming-chunks.ts";
import { toTransportError } from "./transport-failure.ts";

export interface SendOptions {
  readonly server: string;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly open: (options: RequestOptions) => ClientRequest;
}

/** The answer as soon as its headers are there, or why there is none. `wasIdle`: the connection had been used before. */
export function sendRequest(
  request: Pick<KubeRequest, "method" | "path" | "headers" | "body">,
  extraHeaders: Readonly<Record<string, string | readonly string[]>>,
  options: SendOptions,
): Promise<{ readonly response: KubeResponse } | { readonly error: unknown; readonly wasIdle: boolean }> {
  const { signal, open } = options;
  return new Promise((resolve) => {
    const body = request.body === undefined ? undefined : Buffer.from(request.body);
    const outgoing = open({
      method: request.method,
      path: request.path,
      headers: {
        ...request.headers,
        ...(extraHeaders as Record<string, string | string[]>),
        ...(body !== undefined && { "content-length": body.length }),
      },
    });
    let answered = false;
    const onAbort = (): void => {
      outgoing.destroy();
      // A request that has no connection yet would say nothing until it has one.
      resolve({ error: signal.reason, wasIdle: false });
    };
    signal.addEventListener("abort", onAbort, { once: true });
    outgoing.once("socket", (socket: Socket) => watchConnection(socket, outgoing, options));
    outgoing.once("response", (incoming) => {
      answered = true;
      resolve({ response: toResponse(incoming, onAbort, options) });
    });
    // Stays: after the answer has begun errors arrive here and at the body.
    outgoing.on("error", (error) => {
      if (!answered) signal.removeEventListener("abort", onAbort);
      resolve({ error: signal.aborted ? signal.reason : error, wasIdle: outgoing.reusedSocket });
    });
    outgoing.end(body);
  });
}

const KEEP_ALIVE_AFTER_MS = 15_000;

/** Ends a connection that is not made in time, and finds out about one whose other end is gone while nothing is sent. */
function watchConnection(
  socket: Socket,
  outgoing: ClientRequest,
  { server, clock, connectTimeoutMs }: SendOptions,
): void {
  // libuv probes ten times, a second apart, before the connection counts as dead.
  socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
  socket.setNoDelay(true);
  if (!socket.connecting) return;
  const timer = clock.setTimeout(() => {
    const message = `${server}: no connection within ${connectTimeoutMs} ms`;
    outgoing.destroy(new KubeError("ERR_KUBE_TIMEOUT", message));
  }, connectTimeoutMs);
  const done = (): void => timer.cancel();
  socket.once("encrypted" in socket ? "secureConnect" : "connect", done);
  socket.once("close", done);
}

const DRAIN_BYTES = 64 * 1024;

function toResponse(incoming: IncomingMessage, onAbort: () => void, options: SendOptions): KubeResponse {
  const { signal, server } = options;
  const chunks = incomingChunks(incoming);
  const done = (): void => signal.removeEventListener("abort", onAbort);
  incoming.once("close", done);
  const body: AsyncIterableIterator<Uint8Array> = {
    [Symbol.asyncIterator]: () => body,
    async next() {
      try {
        return await chunks.next();
      } catch (error) {
        throw signal.aborted ? signal.reason : toTransportError(error, server);
      }
    },
    async return() {
      // What is short is read to its end, so that its connection can be used again.
      const length = Number(incoming.headers["content-length"] ?? Number.NaN);
      if (incoming.readableEnded || (length <= DRAIN_BYTES && !signal.aborted)) incoming.resume();
      else incoming.destroy();
      return { done: true, value: undefined };
    },
  };
  return { status: incoming.statusCode ?? 0, headers: incoming.headers as KubeResponse["headers"], body };
}
