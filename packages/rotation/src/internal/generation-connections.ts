import type { DrainReport } from "../consumer.ts";
import { RotationError } from "../error.ts";

/** A socket or an HTTP/2 session. */
interface Connection {
  once(event: "close", listener: () => void): unknown;
}

/** Open connections of a client, each with the number of the generation that it was opened with. */
export interface GenerationConnections<C extends Connection> {
  add(connection: C, generation: number): void;
  /** Forgets a connection that somebody else owns now, such as the socket of a WebSocket. */
  release(connection: C): void;
  /** The open connections older than this generation. */
  olderThan(generation: number): readonly C[];
  /** Resolves when no connection of an older generation is open; rejects when the signal aborts first. */
  drained(generation: number, signal: AbortSignal): Promise<DrainReport>;
}

export function createGenerationConnections<C extends Connection>(): GenerationConnections<C> {
  const open = new Map<C, number>();
  const waiting = new Set<() => void>();
  const olderThan = (generation: number): C[] =>
    [...open].filter(([, opened]) => opened < generation).map(([connection]) => connection);
  const release = (connection: C): void => {
    if (!open.delete(connection)) return;
    for (const check of waiting) check();
  };

  return {
    release,
    olderThan,
    add(connection, generation) {
      open.set(connection, generation);
      connection.once("close", () => release(connection));
    },
    drained(generation, signal) {
      const connections = olderThan(generation).length;
      return new Promise((resolve, reject) => {
        const settle = (error?: Error): void => {
          waiting.delete(check);
          signal.removeEventListener("abort", onAbort);
          if (error) reject(error);
          else resolve({ connections, closed: connections, cut: 0 });
        };
        const onAbort = (): void =>
          settle(stillOpen(olderThan(generation).length, generation, signal.reason));
        const check = (): void => {
          if (olderThan(generation).length === 0) settle();
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
