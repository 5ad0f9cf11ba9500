import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { Logger } from "../logger.ts";
import type { RequestOptions } from "../resource-client.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "../transport.ts";
import { leave, type OpenAnswer, readBody } from "./open-answer.ts";
import { createRateLimiter } from "./rate-limiter.ts";
import { createRequestIds } from "./request-ids.ts";
import { createRequestScope, type RequestScope } from "./request-scope.ts";
import { asTransportError } from "./transport-failure.ts";
import type { WholeAnswer } from "./whole-answer.ts";

export interface ExchangeOptions {
  readonly transport: KubeTransport;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly rateLimit: { readonly qps: number; readonly burst: number } | false;
  readonly timeoutMs: number;
  readonly userAgent: string;
  readonly maxAnswerBytes: number;
  readonly maxEventBytes: number;
}

interface ApiRequest extends RequestOptions {
  readonly method: KubeRequest["method"];
  readonly path: string;
  /** Default JSON. */
  readonly accept?: string;
  readonly body?: string;
  readonly contentType?: string;
}

/** Requests and their answers as octets: rate limit, deadlines, ids, credentials renewed once upon a 401. */
export interface Exchange {
  readonly clock: Clock;
  readonly maxEventBytes: number;
  /** The answer with all of its body. */
  fetch(request: ApiRequest): Promise<WholeAnswer>;
  /** As soon as the answer begins; no deadline after that but the one given. Rate limits do not hold it up. */
  open(request: ApiRequest, options?: { readonly lastsMs?: number | undefined }): Promise<OpenAnswer>;
  /** `fetch` whose answer is read by the caller, who ends its scope; the deadline is for all of it. */
  stream(request: ApiRequest): Promise<OpenAnswer>;
  /** The rest of an answer, up to the limit of whole ones. Ends its scope. */
  readAll(answer: OpenAnswer): Promise<WholeAnswer>;
  close(): void;
}

export function createExchange(options: ExchangeOptions): Exchange {
  const { transport, clock, logger, timeoutMs } = options;
  const limiter = options.rateLimit === false ? undefined : createRateLimiter(options.rateLimit, clock);
  const nextId = createRequestIds(options.random);
  const active = new Set<RequestScope>();
  let closed = false;

  return {
    clock,
    maxEventBytes: options.maxEventBytes,
    fetch: async (request) => whole(await stream(request)),
    stream,
    open: (request, { lastsMs } = {}) =>
      inScope(request, async (scope) => {
        scope.deadline(request.timeoutMs ?? timeoutMs);
        const answer = await send(request, scope);
        scope.deadline(lastsMs);
        return answer;
      }),
    readAll(answer) {
      answer.scope.deadline(timeoutMs);
      return whole(answer);
    },
    close() {
      closed = true;
      for (const scope of [...active]) scope.abort(closedError());
    },
  };

  function stream(request: ApiRequest): Promise<OpenAnswer> {
    return inScope(request, async (scope) => {
      if (request.timeoutMs !== undefined) scope.deadline(request.timeoutMs);
      const turn = throttle(request, scope);
      if (turn !== undefined) await turn;
      // As in client-go a request that waited for its turn still has all of the default time.
      if (request.timeoutMs === undefined) scope.deadline(timeoutMs);
      return send(request, scope);
    });
  }

  async function whole(answer: OpenAnswer): Promise<WholeAnswer> {
    try {
      return await readBody(answer, options.maxAnswerBytes);
    } catch (error) {
      answer.scope.abort(error);
      throw error;
    } finally {
      answer.scope.end();
    }
  }

  /** What `ask` comes to goes on in its scope; a failure ends it. */
  async function inScope(
    request: ApiRequest,
    ask: (scope: RequestScope) => Promise<OpenAnswer>,
  ): Promise<OpenAnswer> {
    const scope = begin(request);
    try {
      return await ask(scope);
    } catch (error) {
      scope.abort(error);
      scope.end();
      throw error;
    }
  }

  function begin(request: ApiRequest): RequestScope {
    if (closed) throw closedError();
    request.signal?.throwIfAborted();
    const scope = createRequestScope({
      clock,
      signal: request.signal,
      expired: (ms) =>
        new KubeError("ERR_KUBE_TIMEOUT", `${describe(request)}: not finished within ${ms} ms`),
      onEnd: () => void active.delete(scope),
    });
    active.add(scope);
    return scope;
  }

  function throttle(request: ApiRequest, scope: RequestScope): Promise<void> | undefined {
    const since = clock.monotonic();
    return limiter?.take(request.priority ?? "normal", scope.signal)?.then(() => {
      const waitedMs = Math.round(clock.monotonic() - since);
      if (waitedMs <= 1000) return;
      const { method, path } = request;
      logger.info({ waitedMs, method, path }, "request waited for the client's rate limit");
    });
  }

  /** Sends, and once more with renewed credentials when the server does not know who we are. */
  async function send(request: ApiRequest, scope: RequestScope): Promise<OpenAnswer> {
    const first = await attempt(request, scope);
    if (first.status !== 401 || transport.refresh === undefined) return open(first);
    if (!(await scope.race(transport.refresh(first)))) return open(first);
    // Read to its end, so that its connection is free for the second attempt.
    await readBody(open(first), options.maxAnswerBytes).catch(() => {});
    return open(await attempt(request, scope));

    function open(response: KubeResponse): OpenAnswer {
      const { status, headers } = response;
      return { status, headers, body: bodyOf(response), scope, what: describe(request) };
    }
  }

  async function attempt(request: ApiRequest, scope: RequestScope): Promise<KubeResponse> {
    const requestId = nextId();
    const { method, path } = request;
    const since = clock.monotonic();
    const durationMs = (): number => Math.round(clock.monotonic() - since);
    try {
      const response = await scope.race(
        transport.send({
          method,
          path,
          headers: headersOf(request, requestId),
          body: request.body,
          signal: scope.signal,
        }),
        (late) => leave(late.body[Symbol.asyncIterator]()),
      );
      logger.debug(
        { requestId, method, path, status: response.status, durationMs: durationMs() },
        "request answered",
      );
      return response;
    } catch (cause) {
      const error = asTransportError(cause, transport.server);
      logger.debug({ requestId, method, path, err: error, durationMs: durationMs() }, "request failed");
      throw error;
    }
  }

  function bodyOf({ body }: KubeResponse): AsyncIterator<Uint8Array> {
    const chunks = body[Symbol.asyncIterator]();
    return {
      next: () =>
        chunks.next().catch((cause: unknown) => {
          throw asTransportError(cause, transport.server);
        }),
      return: async () => (await chunks.return?.()) ?? { done: true, value: undefined },
    };
  }

  function headersOf(request: ApiRequest, requestId: string): Record<string, string> {
    return {
      accept: request.accept ?? "application/json",
      "user-agent": options.userAgent,
      "x-request-id": requestId,
      ...(request.contentType !== undefined && { "content-type": request.contentType }),
    };
  }

  function describe({ method, path }: ApiRequest): string {
    const query = path.indexOf("?");
    return `${method} ${transport.server}${query < 0 ? path : path.slice(0, query)}`;
  }

  function closedError(): KubeError {
    return new KubeError("ERR_KUBE_CLOSED", `the client of ${transport.server} was closed`);
  }
}
