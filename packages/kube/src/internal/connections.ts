import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { KubeError } from "../error.ts";
import type { KubeConfig } from "../kube-config.ts";
import type { TlsMaterial } from "../tls-material.ts";
import { createProxyAgent, type ProxyAgentOptions } from "./proxy-agent.ts";
import { createClientContext } from "./secure-context.ts";
import { parseProxyUrl } from "./server-url.ts";

/** Keep-alive connections that were all made with the same material. */
export interface Connections {
  readonly digest: string;
  request(options: http.RequestOptions): http.ClientRequest;
  /** One that ends with ERR_KUBE_UNREACHABLE when the connections are retired. */
  requestWatch(options: http.RequestOptions): http.ClientRequest;
  /** Idle ones may be dead all at once: the next request gets a new one. */
  dropIdle(): void;
  /** No connection is used again: idle ones and watches end now, the others with their request. */
  retire(): void;
  inUse(): boolean;
  /** Ends them all. */
  destroy(): void;
}

export interface ConnectionOptions extends Pick<ProxyAgentOptions, "clock" | "connectTimeoutMs"> {
  readonly maxSockets: number;
  readonly idleTimeoutMs: number;
}

/** Throws ERR_KUBE_CONFIG when no connection can be made with the material. */
export function createConnections(
  config: Pick<KubeConfig, "server" | "tls" | "proxyUrl">,
  material: TlsMaterial,
  options: ConnectionOptions,
): Connections {
  const url = new URL(config.server);
  const isHttps = url.protocol === "https:";
  const proxy = config.proxyUrl === undefined ? undefined : parseProxyUrl(config.proxyUrl, url.origin);
  const agent = createAgent(url, proxy, options);
  // Of their own: watches that take all there may be would leave none to renew a Lease.
  const watchAgent = createAgent(url, proxy, { ...options, maxSockets: Number.POSITIVE_INFINITY });
  const agents = [agent, watchAgent];
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const target: https.RequestOptions = {
    protocol: url.protocol,
    host,
    port: url.port || (isHttps ? 443 : 80),
    ...(isHttps && tlsOptions(host, config.tls, material)),
  };
  const watches = new Set<() => void>();
  const send = (over: http.Agent, of: http.RequestOptions): http.ClientRequest =>
    (isHttps ? https : http).request({ ...target, ...of, agent: over });

  return {
    digest: material.digest,
    request: (of) => send(agent, of),
    requestWatch(of) {
      const outgoing = send(watchAgent, of);
      let incoming: http.IncomingMessage | undefined;
      const end = (): void => void (incoming ?? outgoing).destroy(replaced(url));
      watches.add(end);
      outgoing.once("response", (response) => {
        incoming = response;
      });
      outgoing.once("close", () => void watches.delete(end));
      return outgoing;
    },
    dropIdle: () => agents.forEach(dropIdle),
    retire() {
      for (const one of agents) {
        // An agent that may keep nothing ends a connection when its request has ended.
        one.maxFreeSockets = 0;
        dropIdle(one);
      }
      for (const end of [...watches]) end();
    },
    inUse: () => agents.some(({ sockets }) => Object.keys(sockets).length > 0),
    destroy() {
      for (const one of agents) one.destroy();
    },
  };
}

function replaced({ origin }: URL): KubeError {
  return new KubeError(
    "ERR_KUBE_UNREACHABLE",
    `${origin}: watch ended because the certificates were replaced`,
  );
}

function createAgent(server: URL, proxy: URL | undefined, options: ConnectionOptions): http.Agent {
  const { maxSockets, idleTimeoutMs, clock, connectTimeoutMs } = options;
  const common = {
    keepAlive: true,
    maxSockets,
    maxFreeSockets: 16,
    timeout: idleTimeoutMs,
    scheduling: "lifo",
  } as const;
  if (proxy !== undefined) {
    return createProxyAgent(proxy, common, { server: server.origin, clock, connectTimeoutMs });
  }
  return server.protocol === "https:" ? new https.Agent(common) : new http.Agent(common);
}

function tlsOptions(host: string, tls: KubeConfig["tls"], material: TlsMaterial): https.RequestOptions {
  const { serverName, insecureSkipVerify } = tls;
  return {
    // One context for all connections; the agent's pool is of one material anyway.
    ...({
      secureContext: createClientContext(material),
      ALPNProtocols: ["http/1.1"],
    } as https.RequestOptions),
    rejectUnauthorized: insecureSkipVerify !== true,
    // An address is no server name that TLS could send (RFC 6066 section 3).
    ...(serverName !== undefined && { servername: isIP(serverName) === 0 ? serverName : "" }),
    // Through a proxy Node.js would hold the certificate against "localhost" where the server's host is an address.
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName ?? host, certificate),
  };
}

function dropIdle(agent: http.Agent): void {
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}
