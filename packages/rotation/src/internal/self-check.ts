import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, systemClock } from "../clock.ts";
import type { Generation } from "../generation.ts";
import { type ServedReport, type ServedTarget, verifyServed } from "../served.ts";
import { delay } from "./deadline.ts";

/** A server's proof of what it serves: a handshake with its own address, told from clients by a secret name. */
export interface SelfCheck {
  /** Whether a client is this check, by the name it asks for (SNI), which nobody else knows; of a ClientHello or as read by TLS. */
  recognizes(asked: Buffer | TLSSocket): boolean;
  /** Waits until the server listens. */
  prove(generation: Generation, signal: AbortSignal): Promise<readonly ServedReport[]>;
}

/**
 * How long the check lets clients go first, in real time. Both ends of its handshake are in this process: clients
 * that come right after a swap would otherwise wait for it longer than for the swap itself.
 */
const CLIENTS_FIRST_MS = 10;

export function createSelfCheck(server: Server, clock: Clock): SelfCheck {
  const names = new Set<string>();
  return {
    recognizes(asked) {
      if (names.size === 0) return false;
      if (Buffer.isBuffer(asked)) return [...names].some((name) => asked.includes(name));
      const { servername } = asked as TLSSocket & { readonly servername?: string | false | null };
      return typeof servername === "string" && names.has(servername);
    },
    async prove(generation, signal) {
      if (!server.listening) await once(server, "listening", { signal });
      else await delay(systemClock, CLIENTS_FIRST_MS, signal);
      const name = `${randomBytes(16).toString("hex")}.newleaf.invalid`;
      names.add(name);
      try {
        const targets = ownTargets(server.address());
        return await Promise.all(
          targets.map((target) =>
            // With our own certificate: the server, which knows nothing of its client yet, insists on one.
            verifyServed(target, generation, { client: generation, servername: name, signal, clock }),
          ),
        );
      } finally {
        names.delete(name);
      }
    },
  };
}

function ownTargets(address: AddressInfo | string | null): readonly ServedTarget[] {
  if (address === null) return [];
  if (typeof address === "string") {
    return [{ name: `unix:${address}`, protocol: "tls", address: { path: address } }];
  }
  const { port } = address;
  const host = loopbackOf(address.address);
  const shown = host.includes(":") ? `[${host}]` : host;
  return [{ name: `tls://${shown}:${port}`, protocol: "tls", address: { host, port } }];
}

function loopbackOf(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}
