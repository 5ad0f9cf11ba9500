import { connect as connectPlain, isIP, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { RotatingAgent } from "@newleaf/rotation";
import type { BytesAddress, ClientTarget } from "./target.ts";

/** Opens a plain connection for bytes; each direction ends on its own. */
export function dialPlain(address: BytesAddress): Socket {
  return connectPlain({ ...address, allowHalfOpen: true });
}

/** Opens a TLS connection with the agent's current certificate and its rules for the server; it is ours from then on. */
export function dialTls(
  agent: RotatingAgent,
  target: ClientTarget,
  serverName: string | undefined,
): TLSSocket {
  const { host, port } = target;
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket = agent.createConnection({
    ...agent.options,
    host,
    port,
    allowHalfOpen: true,
    ...(servername === undefined ? {} : { servername }),
  } as Parameters<RotatingAgent["createConnection"]>[0]) as TLSSocket;
  // As Node does at an upgrade: the agent does not wait for it, nor close it, when it rotates.
  socket.emit("agentRemove");
  return socket;
}
