import { isIP } from "node:net";
import { usageError } from "@newleaf/daemon";

/** An https:// URL taken apart for those who speak to the socket themselves. */
export interface ProbeTarget {
  readonly url: URL;
  readonly host: string;
  readonly port: number;
  /** What is asked for in the handshake; none for IP addresses. */
  readonly servername: string | undefined;
  /** The Host field. */
  readonly authority: string;
  readonly path: string;
}

/** Reads the URL of `newleaf probe`. */
export function parseProbeTarget(text: string): ProbeTarget {
  const hint = "write it as https://HOST[:PORT][/PATH]";
  if (!URL.canParse(text)) throw usageError(`${text} is not a URL`, hint);
  const url = new URL(text);
  if (url.protocol !== "https:") throw usageError(`${text} is not an https URL`, hint);
  if (url.username || url.password) throw usageError("the URL carries a user or password", hint);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    url,
    host,
    port: url.port === "" ? 443 : Number(url.port),
    servername: isIP(host) === 0 ? host : undefined,
    authority: url.host,
    path: `${url.pathname}${url.search}`,
  };
}
