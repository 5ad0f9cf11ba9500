import type { IncomingMessage } from "node:http";

/** How much is read ahead of who takes it. */
const AHEAD_BYTES = 64 * 1024;

/**
 * The octets of an answer as they come, those of one read of the connection together. A large list comes in chunks of
 * one or two KB, each of which Node.js's own iterator makes promises for. One `next` at a time; the caller destroys
 * what it leaves.
 */
export function incomingChunks(incoming: IncomingMessage): { next(): Promise<IteratorResult<Uint8Array>> } {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let ended: { readonly error: unknown } | "whole" | undefined;
  let wake: (() => void) | undefined;

  incoming.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > AHEAD_BYTES) incoming.pause();
    // Once the read is through.
    if (chunks.length === 1) process.nextTick(() => wake?.());
  });
  incoming.once("end", () => end("whole"));
  // Stays: an error that nobody waits for must not end the process.
  incoming.on("error", (error) => end({ error }));
  incoming.once("close", () => end({ error: brokenOff() }));

  return {
    async next() {
      for (;;) {
        if (bytes > 0) return { done: false, value: take() };
        if (ended === "whole") return { done: true, value: undefined };
        if (ended !== undefined) throw ended.error;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    },
  };

  function take(): Buffer {
    const [only] = chunks;
    const taken = only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks, bytes);
    chunks = [];
    bytes = 0;
    if (incoming.isPaused()) incoming.resume();
    return taken;
  }

  function end(how: typeof ended): void {
    ended ??= how;
    wake?.();
  }
}

function brokenOff(): Error {
  return Object.assign(new Error("the answer broke off"), { code: "ECONNRESET" });
}
