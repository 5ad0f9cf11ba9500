import type http from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { HttpsProxyAgent } from "https-proxy-agent";
import { SocksProxyAgent } from "socks-proxy-agent";
import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";

export interface ProxyAgentOptions {
  /** For messages. */
  readonly server: string;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
}

/**
 * Connections through tunnels of a proxy. One that is not there in time, TLS included, is given up, and what the proxy
 * says in place of a tunnel is a failure: it has not proved who it is, and must not be taken for the API server.
 */
export function createProxyAgent(
  proxy: URL,
  common: http.AgentOptions,
  options: ProxyAgentOptions,
): http.Agent {
  return proxy.protocol.startsWith("socks")
    ? new SocksAgent(proxy, common, options)
    : new ConnectAgent(proxy, common, options);
}

type Target = Parameters<HttpsProxyAgent<string>["connect"]>[1];

class ConnectAgent extends HttpsProxyAgent<string> {
  readonly #tunnels: Tunnels;

  constructor(proxy: URL, common: http.AgentOptions, options: ProxyAgentOptions) {
    super(proxy, common);
    this.#tunnels = new Tunnels(options);
  }

  override connect(request: http.ClientRequest, target: Target): Promise<Socket> {
    return this.#tunnels.open(async (signal) => {
      let answer: { readonly statusCode: number; readonly statusText: string } | undefined;
      request.once("proxyConnect", (connect) => {
        answer = connect;
      });
      // Of the connection that is made now; it is read before anything is awaited.
      this.connectOpts = { ...this.connectOpts, signal } as typeof this.connectOpts;
      const socket = await super.connect(request, target);
      if (answer?.statusCode === 200) return socket;
      socket.destroy();
      throw new Error(`the proxy answered ${answer?.statusCode} ${answer?.statusText}`);
    });
  }

  override destroy(): void {
    this.#tunnels.giveUp();
    super.destroy();
  }
}

class SocksAgent extends SocksProxyAgent {
  readonly #tunnels: Tunnels;

  constructor(proxy: URL, common: http.AgentOptions, options: ProxyAgentOptions) {
    // The proxy resolves the name, as with Go: inside, the host of the API server is often unknown.
    super(proxy.href.replace(/^socks5:/i, "socks5h:"), common);
    // The base class would end every connection, a quiet watch too, after this time without traffic.
    this.timeout = null;
    this.#tunnels = new Tunnels(options);
  }

  override connect(request: http.ClientRequest, target: Target): Promise<Socket> {
    return this.#tunnels.open(() => super.connect(request, target));
  }

  override destroy(): void {
    this.#tunnels.giveUp();
    super.destroy();
  }
}

/** Tunnels that are being made, each with a deadline. */
class Tunnels {
  readonly #options: ProxyAgentOptions;
  readonly #pending = new Set<AbortController>();

  constructor(options: ProxyAgentOptions) {
    this.#options = options;
  }

  giveUp(): void {
    for (const attempt of this.#pending) attempt.abort(this.#failure("ERR_KUBE_CLOSED", "closed"));
  }

  /** `dial` is asked once; the signal ends what it began, until it has come to a socket. */
  async open(dial: (signal: AbortSignal) => Promise<Socket>): Promise<Socket> {
    const { clock, connectTimeoutMs } = this.#options;
    const attempt = new AbortController();
    const dialing = new AbortController();
    const given = new Promise<never>((_, reject) => {
      attempt.signal.addEventListener("abort", () => reject(attempt.signal.reason), { once: true });
    });
    const timer = clock.setTimeout(() => {
      const message = `no connection through the proxy within ${connectTimeoutMs} ms`;
      attempt.abort(this.#failure("ERR_KUBE_TIMEOUT", message));
    }, connectTimeoutMs);
    this.#pending.add(attempt);
    const tunnel = dial(dialing.signal);
    try {
      const socket = await Promise.race([tunnel, given]);
      if (socket instanceof TLSSocket) await Promise.race([secured(socket), given]);
      return socket;
    } catch (cause) {
      dialing.abort();
      tunnel.then(
        (socket) => socket.destroy(),
        () => {},
      );
      // What has a code is of the connection or of TLS, and is named by that.
      if ((cause as NodeJS.ErrnoException).code !== undefined) throw cause;
      throw this.#failure("ERR_KUBE_UNREACHABLE", (cause as Error).message, { cause });
    } finally {
      timer.cancel();
      this.#pending.delete(attempt);
    }
  }

  #failure(code: KubeError["code"], why: string, options?: { readonly cause: unknown }): KubeError {
    return new KubeError(code, `${this.#options.server}: ${why}`, options);
  }
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays: one that comes while the connection is given up must not end the process.
    socket.on("error", reject);
    socket.once("secureConnect", resolve);
    socket.once("close", () => reject(new Error("the connection through the proxy was closed")));
  });
}
