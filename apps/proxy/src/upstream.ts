import { Agent, type ClientRequest, request as plainRequest, type RequestOptions } from "node:http";
import { request as tlsRequest } from "node:https";
import type { RotatingAgent } from "@newleaf/rotation";
import type { ClientTarget, ServerTarget } from "./target.ts";

/** The far side of an HTTP proxy: opens requests on a pool of connections that it owns. */
export interface Upstream extends AsyncDisposable {
  readonly name: string;
  /** Authority for the Host field where the client's own is not kept. */
  readonly authority: string;
  request(options: RequestOptions): ClientRequest;
}

/** A plain HTTP/1.1 target with a keep-alive pool of at most `maxConnections`. */
export function createPlainUpstream(
  target: Extract<ServerTarget, { kind: "http" }>,
  options: { readonly maxConnections: number },
): Upstream {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: options.maxConnections,
    maxFreeSockets: Math.min(options.maxConnections, 256),
    scheduling: "lifo",
  });
  const { host, port, name } = target;
  return {
    name,
    authority: new URL(name).host,
    request: (request) => plainRequest({ ...request, host, port, agent }),
    [Symbol.asyncDispose]: async () => agent.destroy(),
  };
}

/** An HTTPS target reached with the current certificate; the agent stays its owner's to dispose. */
export function createMtlsUpstream(target: ClientTarget, agent: RotatingAgent): Upstream {
  const { host, port, name, authority } = target;
  return {
    name,
    authority,
    request: (request) => tlsRequest({ ...request, host, port, agent }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
