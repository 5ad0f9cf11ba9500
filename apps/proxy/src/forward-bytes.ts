import type { Socket } from "node:net";

const KEEP_ALIVE_MS = 60_000;

/**
 * Joins two connections: bytes both ways with backpressure, each half closed when the other side ends it, both
 * destroyed when either fails or when nothing has moved for `idleTimeoutMs`. Resolves when both are closed.
 */
export async function forwardBytes(
  inbound: Socket,
  outbound: Socket,
  options: { readonly idleTimeoutMs: number },
): Promise<void> {
  const both = [inbound, outbound];
  const destroyBoth = (): void => {
    for (const socket of both) socket.destroy();
  };
  const closed = both.map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())));
  for (const socket of both) {
    socket.on("error", destroyBoth);
    // One side that closes without having ended its stream leaves the other waiting for an end.
    socket.once("close", destroyBothUnlessEnded(socket, destroyBoth));
    socket.setTimeout(options.idleTimeoutMs, destroyBoth);
    socket.setNoDelay(true);
    // Finds a peer that vanished long before the timeout would.
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
  }
  inbound.pipe(outbound);
  outbound.pipe(inbound);
  await Promise.all(closed);
}

function destroyBothUnlessEnded(socket: Socket, destroyBoth: () => void): () => void {
  return () => {
    if (!socket.readableEnded || !socket.writableFinished) destroyBoth();
  };
}
