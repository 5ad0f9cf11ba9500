import { isIP } from "node:net";
import { resolve } from "node:path";
import { invalid } from "../config-error.ts";
import { HelperError } from "../error.ts";

const DEFAULT_AGENT_PATH = "/tmp/spire-agent/public/api.sock";

/** Where the address comes from when neither the file nor a flag says it: one of two variables, else the default. */
export function addressFromEnvironment(env: Readonly<Record<string, string | undefined>>): {
  readonly text: string;
  readonly where: string;
} {
  const { SPIFFE_ENDPOINT_SOCKET: standard = "", SPIRE_AGENT_ADDRESS: old = "" } = env;
  if (standard !== "" && old !== "") {
    throw new HelperError(
      "ERR_HELPER_CONFIG",
      "both SPIRE_AGENT_ADDRESS and SPIFFE_ENDPOINT_SOCKET are set",
      {
        hint: "keep SPIFFE_ENDPOINT_SOCKET; SPIRE_AGENT_ADDRESS is the old name",
      },
    );
  }
  if (standard !== "") return { text: standard, where: "SPIFFE_ENDPOINT_SOCKET" };
  if (old !== "") return { text: old, where: "SPIRE_AGENT_ADDRESS" };
  return { text: DEFAULT_AGENT_PATH, where: "the default" };
}

/** A bare path, `unix:/path`, `unix:///path` or `tcp://IP:port` as the address that the standard has for it. */
export function translateAddress(text: string, where: string): string {
  const refuse = (problem: string) =>
    invalid(where, `agent_address ${JSON.stringify(text.slice(0, 200))} ${problem}`, hint);
  if (text.startsWith("tcp:")) {
    const [, host = "", port = ""] = /^tcp:\/\/(\[[^\]]+\]|[^:/?#@]+):(\d{1,5})$/.exec(text) ?? [];
    if (isIP(host.replace(/^\[|\]$/g, "")) === 0 || Number(port) > 65_535 || Number(port) === 0) {
      throw refuse("is not tcp://IP:port");
    }
    return text;
  }
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (!path.startsWith("/") || path.startsWith("//")) throw refuse("names no absolute path");
    return `unix://${path}`;
  }
  if (text.includes("://")) throw refuse("has a scheme that the Workload API does not have");
  return `unix://${resolve(text)}`;
}

const hint =
  "write a path such as /run/spire/agent.sock, unix:///run/spire/agent.sock or tcp://127.0.0.1:8081";
