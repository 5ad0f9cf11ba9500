import { isIPv6, type Socket } from "node:net";

/** For logs; read it early, a closed socket has forgotten its peer. */
export function remoteAddress(socket: Socket): string {
  const { remoteAddress: host, remotePort: port } = socket;
  if (host === undefined) return "unix";
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
