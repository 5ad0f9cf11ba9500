import { type Clock, systemClock } from "./clock.ts";
import { KubeError } from "./error.ts";
import { createExchange, type Exchange } from "./internal/exchange.ts";
import { selectedFormat } from "./internal/object-format.ts";
import { readAnswer } from "./internal/read-answer.ts";
import { createResourceReader } from "./internal/read-requests.ts";
import { apiVersionOf } from "./internal/resource-path.ts";
import { createResourceClient } from "./internal/resource-requests.ts";
import type { KubeObject, ResourceType } from "./kube-object.ts";
import { type Logger, silentLogger } from "./logger.ts";
import type { RequestOptions, ResourceClient, ResourceReader } from "./resource-client.ts";
import type { SelectedResource } from "./select-fields.ts";
import type { Answer } from "./status.ts";
import type { KubeRequest, KubeTransport } from "./transport.ts";

export interface KubeClientOptions {
  /** Carries the requests; is not closed with the client. */
  readonly transport: KubeTransport;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** Of the ids of requests; from 0 up to 1. */
  readonly random?: (() => number) | undefined;
  /** Requests a second, and how many at once after a rest; watches do not count. Default 50 and 100. */
  readonly rateLimit?: { readonly qps: number; readonly burst: number } | false | undefined;
  /** For a whole answer once the request is sent. Default 30 s. */
  readonly timeoutMs?: number | undefined;
  readonly userAgent?: string | undefined;
  /** Of one answer, a whole list for example. Default 256 MiB. */
  readonly maxAnswerBytes?: number | undefined;
  /** Of one event of a watch. Default 8 MiB. */
  readonly maxEventBytes?: number | undefined;
}

export interface KubeClient extends AsyncDisposable {
  /** Of the API server, for messages: no credentials. */
  readonly server: string;
  /** The resource in one namespace; without one in all of them, where only lists and watches make sense. */
  resource<T extends KubeObject>(type: ResourceType<T>, of?: InNamespace): ResourceClient<T>;
  /** The same, read in part. */
  resource<T extends KubeObject>(selected: SelectedResource<T>, of?: InNamespace): ResourceReader<T>;
  /** A path that is no resource: /version, /readyz, reviews. The value is text where the answer was no JSON. */
  request<T = unknown>(request: RawRequest): Promise<Answer<T>>;
}

interface InNamespace {
  readonly namespace?: string | undefined;
}

export interface RawRequest extends RequestOptions {
  readonly method?: KubeRequest["method"] | undefined;
  /** Path and query, encoded. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object | undefined;
}

/** Typed requests over a transport. Closing it ends what is under way with ERR_KUBE_CLOSED. */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  const exchange: Exchange = createExchange({
    transport: options.transport,
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    rateLimit: options.rateLimit ?? { qps: 50, burst: 100 },
    timeoutMs: options.timeoutMs ?? 30_000,
    userAgent: options.userAgent ?? "newleaf",
    maxAnswerBytes: options.maxAnswerBytes ?? 256 * MEBIBYTE,
    maxEventBytes: options.maxEventBytes ?? 8 * MEBIBYTE,
  });

  function resource<T extends KubeObject>(type: ResourceType<T>, of?: InNamespace): ResourceClient<T>;
  function resource<T extends KubeObject>(selected: SelectedResource<T>, of?: InNamespace): ResourceReader<T>;
  function resource<T extends KubeObject>(
    what: ResourceType<T> | SelectedResource<T>,
    { namespace }: InNamespace = {},
  ): ResourceReader<T> {
    if (!("shape" in what)) return createResourceClient(exchange, what, namespace);
    const { type, shape } = what;
    const format = selectedFormat<T>({ apiVersion: apiVersionOf(type), kind: type.kind }, shape);
    return createResourceReader(exchange, type, namespace, format);
  }

  return {
    server: options.transport.server,
    resource,
    async request<T>({ method = "GET", path, body, ...rest }: RawRequest): Promise<Answer<T>> {
      if (!/^\/[\x21-\x7e]*$/.test(path)) {
        throw new KubeError("ERR_KUBE_CONFIG", `not a path of the API server: ${JSON.stringify(path)}`);
      }
      const answer = await exchange.fetch({
        ...rest,
        method,
        path,
        ...(body !== undefined && { body: JSON.stringify(body), contentType: "application/json" }),
      });
      return readAnswer(answer, exchange.clock, (whole) => (whole.isJson ? whole.json() : whole.text()) as T);
    },
    [Symbol.asyncDispose]: async () => exchange.close(),
  };
}

const MEBIBYTE = 2 ** 20;
