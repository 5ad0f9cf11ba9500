import { isIP } from "node:net";
import { SpiffeError } from "./error.ts";

/** What fits into `sun_path` on Linux, the terminating zero aside. */
const LONGEST_SOCKET_PATH = 107;

/**
 * The address of the Workload API as @grpc/grpc-js wants it, from an explicit address or else the value of
 * `SPIFFE_ENDPOINT_SOCKET`, which the caller reads. `unix:` with an absolute path and no authority, or
 * `tcp://` with an IP address and a port; nothing else (SPIFFE Workload Endpoint section 4). Throws
 * ERR_SPIFFE_ADDRESS.
 */
export function workloadApiAddress(explicit: string | undefined, environment?: string): string {
  const value = explicit || environment;
  if (!value) throw invalid("no address of the Workload API: neither given nor in SPIFFE_ENDPOINT_SOCKET");
  const [, scheme, rest = ""] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(value) ?? [];
  switch (scheme?.toLowerCase()) {
    case "unix":
      return unixTarget(value, rest);
    case "tcp":
      return tcpTarget(value, rest);
    default:
      throw invalid(`${quote(value)} is not of the form unix:///path/to/socket or tcp://127.0.0.1:port`);
  }
}

function unixTarget(value: string, rest: string): string {
  if (/[?#]/.test(rest)) throw invalid(`${quote(value)} has more than a scheme and a path`);
  if (/^\/\/[^/]/.test(rest)) throw invalid(`${quote(value)} has an authority; a socket is unix:///path`);
  const path = decodePath(value, rest.startsWith("//") ? rest.slice(2) : rest);
  if (!path.startsWith("/")) throw invalid(`the path in ${quote(value)} is not absolute`);
  if (/^\/+$/.test(path)) throw invalid(`${quote(value)} names no socket`);
  if (path.includes("\0")) throw invalid(`the path in ${quote(value)} contains a zero octet`);
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) {
    throw invalid(
      `the path in ${quote(value)} is longer than a socket's may be (${LONGEST_SOCKET_PATH} octets)`,
    );
  }
  return `unix:${path.replace(/^\/+/, "/")}`;
}

function decodePath(value: string, path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw invalid(`the path in ${quote(value)} is not well-formed`);
  }
}

function tcpTarget(value: string, rest: string): string {
  const [, host = "", port = ""] = /^\/\/(\[[^\]]*\]|[^:/?#@[\]]*):(\d{1,5})$/.exec(rest) ?? [];
  if (port === "")
    throw invalid(`${quote(value)} must be an IP address and a port only: tcp://127.0.0.1:port`);
  const bracketed = host.startsWith("[");
  if (isIP(bracketed ? host.slice(1, -1) : host) !== (bracketed ? 6 : 4)) {
    throw invalid(`the host in ${quote(value)} is not an IP address`);
  }
  if (Number(port) < 1 || Number(port) > 65_535) throw invalid(`the port in ${quote(value)} is out of range`);
  return `${host}:${Number(port)}`;
}

function quote(value: string): string {
  return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}...` : value);
}

function invalid(message: string): SpiffeError {
  return new SpiffeError("ERR_SPIFFE_ADDRESS", message);
}
