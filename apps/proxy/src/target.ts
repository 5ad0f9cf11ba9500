import { parseSocketPath, usageError } from "@newleaf/daemon";

/** Where the plain side of `proxy server` goes. */
export type ServerTarget =
  | { readonly kind: "http"; readonly host: string; readonly port: number; readonly name: string }
  | { readonly kind: "bytes"; readonly connect: BytesAddress; readonly name: string }
  | { readonly kind: "hello"; readonly name: string };

/** Where the mTLS side of `proxy client` goes; `authority` is what HTTP calls it. */
export interface ClientTarget {
  readonly kind: "https" | "tls";
  readonly host: string;
  readonly port: number;
  readonly authority: string;
  readonly name: string;
}

export type BytesAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Reads the `--target` of `proxy server`; throws a usage error with a hint for anything else. */
export function parseServerTarget(text: string): ServerTarget {
  if (text === "builtin:hello") return { kind: "hello", name: text };
  if (text.startsWith("unix:"))
    return { kind: "bytes", connect: { path: parseSocketPath(text) }, name: text };
  const url = parseUrl(text, SERVER_HINT);
  if (url.protocol === "tcp:") {
    return { kind: "bytes", connect: { host: hostOf(url), port: portOf(url, text) }, name: text };
  }
  if (url.protocol === "http:")
    return { kind: "http", host: hostOf(url), port: portOf(url, text, 80), name: text };
  if (url.protocol === "https:") {
    throw usageError(
      `target ${text} is TLS already; proxy server speaks plain text to its target`,
      "to add a client certificate on the way out run `newleaf proxy client --target " +
        `${text}\` and use its address as the http:// target here`,
    );
  }
  throw usageError(`target ${text} has an unknown scheme`, SERVER_HINT);
}

/** Reads the `--target` of `proxy client`. */
export function parseClientTarget(text: string): ClientTarget {
  const url = parseUrl(text, CLIENT_HINT);
  if (url.protocol !== "https:" && url.protocol !== "tls:") {
    throw usageError(`target ${text} is not TLS; proxy client sends nothing in plain text`, CLIENT_HINT);
  }
  const kind = url.protocol === "https:" ? "https" : "tls";
  const port = portOf(url, text, kind === "https" ? 443 : undefined);
  return { kind, host: hostOf(url), port, authority: url.host, name: text };
}

const SERVER_HINT = "targets are http://HOST:PORT, tcp://HOST:PORT, unix:/PATH and builtin:hello";
const CLIENT_HINT = "targets are https://HOST[:PORT] and tls://HOST:PORT";

function parseUrl(text: string, hint: string): URL {
  if (!URL.canParse(text)) throw usageError(`target ${text} is not a URL`, hint);
  const url = new URL(text);
  if (url.username || url.password) throw usageError("target carries a user or password", hint);
  if (!["", "/"].includes(url.pathname) || url.search || url.hash) {
    throw usageError(`target ${text} has a path; the request's own path is passed on as it is`, hint);
  }
  return url;
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

function portOf(url: URL, text: string, standard?: number): number {
  const port = url.port === "" ? standard : Number(url.port);
  if (port === undefined) throw usageError(`target ${text} has no port`, `write it as ${text}:PORT`);
  return port;
}
