import type { TLSSocket } from "node:tls";

/**
 * Hands a socket over after its handshake, as Node's own server does before 'secureConnection': from here on TLS
 * errors are 'error' events for whoever uses the socket. The method is undocumented; without it such errors would
 * only show as 'close'.
 */
export function releaseControl(socket: TLSSocket): void {
  const internals = socket as TLSSocket & { _releaseControl?: () => boolean; secureConnecting?: boolean };
  internals._releaseControl?.();
  internals.secureConnecting = false;
}
