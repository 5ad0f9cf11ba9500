import { type Clock, systemClock } from "./clock.ts";
import { KubeError } from "./error.ts";
import type { Credential } from "./internal/credential.ts";
import { createCredentials } from "./internal/credentials.ts";
import { impersonationHeaders } from "./internal/impersonation-headers.ts";
import { createRotatingConnections } from "./internal/rotating-connections.ts";
import { sendRequest } from "./internal/send-request.ts";
import { isLoopback } from "./internal/server-url.ts";
import { isTlsFailure, toTransportError } from "./internal/transport-failure.ts";
import type { KubeConfig } from "./kube-config.ts";
import type { Environment } from "./kubeconfig.ts";
import { type Logger, silentLogger } from "./logger.ts";
import type { TlsMaterialSource } from "./tls-material.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "./transport.ts";

export interface KubeTransportOptions {
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** What credential plugins run with, PATH included. Default: nothing. */
  readonly env?: Environment | undefined;
  /** Whether a credential plugin may ask at this process's terminal. Default false. */
  readonly interactive?: boolean | undefined;
  /** In place of the configuration's certificates. Is not closed. */
  readonly tls?: TlsMaterialSource | undefined;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a connection is kept that nothing is sent on. Default 60 s. */
  readonly idleTimeoutMs?: number | undefined;
  /** Connections at once, beside those of watches, of which each has one. Default 256. */
  readonly maxSockets?: number | undefined;
}

/**
 * Keep-alive connections over node:https. Certificates, keys and authorities in files are looked at again every few
 * seconds, and new connections are made with new ones: requests under way end on the old connections, watches are
 * ended with ERR_KUBE_UNREACHABLE so that they come back. Certificates that cannot be used leave the old ones in use.
 */
export function createKubeTransport(config: KubeConfig, options: KubeTransportOptions = {}): KubeTransport {
  const { logger = silentLogger, clock = systemClock, connectTimeoutMs = 10_000 } = options;
  const server = config.server.replace(/\/$/, "");
  const prefix = new URL(config.server).pathname.replace(/\/$/, "");
  const impersonation = impersonationHeaders(config.user.impersonate);
  const { env = {}, interactive = false } = options;
  const credentials = createCredentials(config, { logger, clock, env, interactive });
  const connections = createRotatingConnections(config, {
    logger,
    clock,
    connectTimeoutMs,
    source: options.tls,
    maxSockets: options.maxSockets ?? 256,
    idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
  });
  /** With what an answer was had, for when it was a refusal. */
  const sentWith = new WeakMap<KubeResponse, { readonly credential: Credential; readonly digest: string }>();
  let closed = false;
  warnOfExposure(config, server, logger);

  return {
    server,
    async send(request) {
      const first = await attempt(request);
      if ("response" in first) return first.response;
      // Nothing was answered, so a GET is safe to send again: on a connection that is not stale, or with what the files hold now.
      const again =
        (first.wasIdle && request.method === "GET" && isClosed(first.error)) ||
        (isTlsFailure(first.error) && (await connections.changed(first.digest)));
      if (again && !request.signal.aborted) {
        first.dropIdle();
        const second = await attempt(request);
        if ("response" in second) return second.response;
        throw fail(second.error, request);
      }
      throw fail(first.error, request);
    },
    async refresh(refused) {
      const used = sentWith.get(refused);
      if (used === undefined || closed) return false;
      const [renewed, changed] = await Promise.all([
        credentials.renew(used.credential),
        connections.changed(used.digest),
      ]);
      return renewed || changed;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await Promise.all([credentials.close(), connections.close()]);
    },
  };

  async function attempt(request: KubeRequest) {
    if (closed) throw closedError();
    const credential = await credentials.current();
    const lease = await connections.take(credential.clientCertificate, request);
    if (closed) throw closedError();
    request.signal.throwIfAborted();
    const { authorization } = credential;
    const headers = { ...impersonation, ...(authorization !== undefined && { authorization }) };
    const sent = await sendRequest({ ...request, path: prefix + request.path }, headers, {
      open: lease.open,
      signal: request.signal,
      server,
      clock,
      connectTimeoutMs,
    });
    if ("error" in sent) return { ...sent, digest: lease.digest, dropIdle: lease.dropIdle };
    sentWith.set(sent.response, { credential, digest: lease.digest });
    return sent;
  }

  function fail(error: unknown, { signal }: KubeRequest): unknown {
    if (signal.aborted) return signal.reason;
    return closed ? closedError() : toTransportError(error, server);
  }

  function closedError(): KubeError {
    return new KubeError("ERR_KUBE_CLOSED", `the transport to ${server} was closed`);
  }
}

function isClosed(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ECONNRESET" || code === "EPIPE";
}

function warnOfExposure({ tls, user, origin }: KubeConfig, server: string, logger: Logger): void {
  if (tls.insecureSkipVerify) {
    logger.warn({ server, origin }, "API server is not verified: insecure-skip-tls-verify");
  }
  const { protocol, hostname } = new URL(server);
  const secret = user.token ?? user.tokenFile ?? user.password ?? user.exec;
  if (protocol === "http:" && secret !== undefined && !isLoopback(hostname)) {
    logger.warn({ server, origin }, "credentials are sent in clear: the API server's URL is http");
  }
}
