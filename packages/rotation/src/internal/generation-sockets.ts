import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { DrainReport } from "../consumer.ts";
import { RotationError } from "../error.ts";

/** Open connections of a client and the generation each was opened with. */
export interface GenerationSockets {
  add(socket: Socket, generation: number): void;
  /** The open connections older than this generation. */
  olderThan(generation: number): readonly Socket[];
  /** Forgets a socket that somebody else owns now, such as a WebSocket. */
  release(socket: Duplex): void;
  /** Resolves when no connection of an older generation is open; rejects when the signal aborts first. */
  drained(generation: number, signal: AbortSignal): Promise<DrainReport>;
  readonly size: number;
}

export function createGenerationSockets(): GenerationSockets {
  const open = new Map<Socket, number>();
  const waiting = new Set<() => void>();
  const olderThan = (generation: number): Socket[] =>
    [...open].filter(([, opened]) => opened < generation).map(([socket]) => socket);
  const release = (socket: Duplex): void => {
    if (!open.delete(socket as Socket)) return;
    for (const check of waiting) check();
  };

  return {
    add(socket, generation) {
      open.set(socket, generation);
      socket.once("close", () => release(socket));
    },
    release,
    olderThan,
    get size() {
      return open.size;
    },
    drained(generation, signal) {
      const connections = olderThan(generation).length;
      return new Promise((resolve, reject) => {
        const finish = (error?: unknown): void => {
          waiting.delete(check);
          signal.removeEventListener("abort", onAbort);
          if (error) reject(error);
          else resolve({ connections, closed: connections, cut: 0 });
        };
        const onAbort = (): void =>
          finish(stillOpen(olderThan(generation).length, generation, signal.reason));
        const check = (): void => {
          if (olderThan(generation).length === 0) finish();
        };
        waiting.add(check);
        signal.addEventListener("abort", onAbort, { once: true });
        check();
      });
    },
  };
}

function stillOpen(count: number, generation: number, reason: unknown): RotationError {
  const message = `${count} connections older than generation ${generation} are still in use`;
  return new RotationError("ERR_ROTATION_TIMEOUT", message, { cause: reason });
}
