import { BlockList, isIP } from "node:net";
import type { Environment } from "../kubeconfig.ts";
import { isLoopback } from "./server-url.ts";

/**
 * The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY (or lower case) name for a URL, read as Go's httpproxy does:
 * loopback is never proxied; NO_PROXY holds hosts, domains (`.example.org`, `*.example.org`), addresses, CIDR and `*`,
 * each perhaps with a port.
 */
export function proxyFromEnvironment(url: URL, env: Environment): string | undefined {
  const get = (name: string): string | undefined => env[name] || env[name.toLowerCase()] || undefined;
  const proxy = get(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (proxy === undefined) return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (isLoopback(host)) return undefined;
  const excepted = (get("NO_PROXY") ?? "")
    .split(",")
    .some((rule) => matches(rule.trim().toLowerCase(), host, port));
  if (excepted) return undefined;
  return /^[a-z0-9]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function matches(rule: string, host: string, port: string): boolean {
  if (rule === "*") return true;
  if (rule === "") return false;
  if (rule.includes("/")) return inSubnet(rule, host);
  const withPort = /^(.*[^:]|\[.*\]):(\d+)$/.exec(rule);
  const bare = isIP(rule) === 0 && withPort ? withPort[1] : rule;
  if (bare === undefined || (bare !== rule && withPort?.[2] !== port)) return false;
  const name = bare.replace(/^\[|\]$/g, "").replace(/^\*(?=\.)/, "");
  if (name.startsWith(".")) return host.endsWith(name);
  return host === name || (isIP(name) === 0 && host.endsWith(`.${name}`));
}

function inSubnet(rule: string, host: string): boolean {
  const [net = "", prefix = ""] = rule.split("/");
  const family = isIP(net);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(prefix)) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(net, Number(prefix), type);
  return list.check(host, type);
}
