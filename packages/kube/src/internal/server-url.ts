import { isIP, isIPv6 } from "node:net";
import { KubeError } from "../error.ts";

/** The URL of an API server, which may have a path. Throws ERR_KUBE_CONFIG, without the URL where it may be a secret. */
export function parseServerUrl(server: string, where: string): URL {
  // kubectl takes a host without a scheme for https.
  const text = /^[a-z]+:\/\//i.test(server) ? server : `https://${server}`;
  if (!URL.canParse(text)) throw new KubeError("ERR_KUBE_CONFIG", `${where} has a server that is no URL`);
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new KubeError("ERR_KUBE_CONFIG", `${where} has a server that is neither https nor http`);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "") {
    throw new KubeError(
      "ERR_KUBE_CONFIG",
      `${where} has a server with a user, a password or a query in its URL`,
    );
  }
  return url;
}

const PROXY_PROTOCOLS: ReadonlySet<string> = new Set(["http:", "https:", "socks5:", "socks5h:"]);

/** The URL of a proxy. Throws ERR_KUBE_CONFIG, without the URL, which may hold a password. */
export function parseProxyUrl(proxy: string, where: string): URL {
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined;
  if (url !== undefined && PROXY_PROTOCOLS.has(url.protocol) && url.hostname !== "") return url;
  throw new KubeError("ERR_KUBE_CONFIG", `${where} has a proxy that is no URL of http, https or socks5`);
}

/** Host and port as they stand in a URL: IPv6 in brackets. */
export function hostPort(host: string, port: string): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Of a host as it stands in a URL, or without the brackets. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}
