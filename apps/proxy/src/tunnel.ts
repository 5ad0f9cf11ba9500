import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { forwardBytes } from "./forward-bytes.ts";
import type { ForwardTimeouts } from "./forward-http.ts";
import type { ReportFailure } from "./target-failure.ts";
import { upstreamFailure } from "./upstream-failure.ts";

export interface TunnelOptions {
  readonly timeouts: ForwardTimeouts;
  readonly target: string;
  readonly report: ReportFailure;
}

/** Connects to the target and joins the two; what the client sends meanwhile waits. Resolves when both are closed. */
export async function tunnel(inbound: Socket, dial: () => Socket, options: TunnelOptions): Promise<void> {
  const { timeouts, target } = options;
  inbound.on("error", () => inbound.destroy());
  const outbound = dial();
  const giveUp = (): void => void outbound.destroy();
  inbound.once("close", giveUp);
  try {
    await connected(outbound, timeouts.connectMs);
  } catch (error) {
    outbound.destroy();
    const { reason } = upstreamFailure(error);
    if (!inbound.destroyed) options.report({ target, reason, error: (error as Error).message });
    // A reset, not an end: the client must not take this for an answer without content.
    if ("resetAndDestroy" in inbound && !("encrypted" in inbound)) inbound.resetAndDestroy();
    else inbound.destroy();
    return;
  }
  inbound.off("close", giveUp);
  await forwardBytes(inbound, outbound, { idleTimeoutMs: timeouts.tunnelMs });
}

function connected(socket: Socket | TLSSocket, timeoutMs: number): Promise<void> {
  const event = "encrypted" in socket ? "secureConnect" : "connect";
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.off(event, onConnect).off("close", onClose);
      if (error) reject(error);
      else resolve();
    };
    const onConnect = (): void => settle();
    const onClose = (): void => settle(new Error("closed before it was connected"));
    const timer = setTimeout(
      () => settle(Object.assign(new Error("no connection in time"), { code: "ETIMEDOUT" })),
      timeoutMs,
    );
    // Stays: an error after the settlement must not crash the process.
    socket.on("error", settle);
    socket.once(event, onConnect).once("close", onClose);
  });
}
