import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { RotationError } from "../error.ts";

/** Where to look at what is served. */
export interface ServedTarget {
  /** As reports show it; holds no credentials. */
  readonly name: string;
  readonly protocol: "tls" | "https" | "postgres";
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string };
  /** SNI; absent for IP addresses and sockets, which have none (RFC 6066 section 3). */
  readonly servername?: string;
}

const FORMS = "https://host[:port], tls://host:port, postgres://host[:port], host:port or unix:/path";
const DEFAULT_PORTS: Readonly<Record<string, number>> = { https: 443, postgres: 5432 };

/** Reads a target as people write it; user, password, path and query of a URL are left out. */
export function parseTarget(text: string): ServedTarget {
  if (text.startsWith("unix:")) return unixTarget(text);
  const url = parseUrl(text.includes("://") ? text : `tls://${text}`);
  const scheme = url?.protocol.slice(0, -1).replace("postgresql", "postgres");
  if (!url || (scheme !== "https" && scheme !== "tls" && scheme !== "postgres")) throw badTarget(text);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? DEFAULT_PORTS[scheme] : Number(url.port);
  if (host === "" || port === undefined || port === 0) throw badTarget(text);
  const name = `${scheme}://${url.hostname}:${port}`;
  return { name, protocol: scheme, address: { host, port }, ...(isIP(host) ? {} : { servername: host }) };
}

/** One target for each address behind a host name, so that every replica of a headless service is asked. */
export async function resolveTarget(target: string | ServedTarget): Promise<readonly ServedTarget[]> {
  const parsed = typeof target === "string" ? parseTarget(target) : target;
  if (!("host" in parsed.address)) return [parsed];
  const { host, port } = parsed.address;
  if (isIP(host)) return [parsed];
  const addresses = await lookup(host, { all: true });
  return addresses.map(({ address }) => ({
    ...parsed,
    name: `${parsed.name} (${address})`,
    address: { host: address, port },
  }));
}

function unixTarget(text: string): ServedTarget {
  const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
  if (!path.startsWith("/")) throw badTarget(text);
  return { name: `unix:${path}`, protocol: "tls", address: { path } };
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function badTarget(text: string): RotationError {
  const shown = text.replace(/\/\/[^@/]*@/, "//***@");
  return new RotationError("ERR_ROTATION_OPTIONS", `target ${JSON.stringify(shown)} is not one of ${FORMS}`);
}
