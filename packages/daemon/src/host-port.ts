import { isIPv6 } from "node:net";
import { z } from "zod";
import { DaemonError } from "./error.ts";

/** A TCP address. `host` carries no brackets; port 0 asks the system for a free one. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[::1]:port` or `:port` (all interfaces). */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([^\]]*)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text.trim());
  if (match === null) throw invalid(text, text.includes(":") ? "is not host:port" : "has no port");
  const port = Number(match[3]);
  if (port > 65_535) throw invalid(text, "has a port above 65535");
  if (match[1] !== undefined && !isIPv6(match[1])) throw invalid(text, "has no IPv6 address in its brackets");
  const host = match[1] ?? match[2] ?? "";
  return { host: host === "" ? "::" : host, port };
}

/** The text form that {@link parseHostPort} reads back, IPv6 in brackets. */
export function formatHostPort(address: HostPort): string {
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Whether a host names this machine only. */
export function isLoopback(host: string): boolean {
  return (
    host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host) || host === "::ffff:127.0.0.1"
  );
}

/** Schema of an address option: text in, {@link HostPort} out. */
export function hostPort(): z.ZodType<HostPort, string> {
  return z.string().transform((text, context) => {
    try {
      return parseHostPort(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message, params: { hint: hostPortHint } });
      return z.NEVER;
    }
  });
}

const hostPortHint = "write host:port, such as 127.0.0.1:8443, [::1]:8443 or :8443 for all interfaces";

function invalid(text: string, problem: string): DaemonError {
  return new DaemonError("ERR_DAEMON_CONFIG", `"${text.slice(0, 80)}" ${problem}`, { hint: hostPortHint });
}
