import { once } from "node:events";
import { connect } from "node:tls";
import { type Generation, secureContextOptions } from "@newleaf/rotation";

/** A client that keeps the certificate it once had, and trusts whatever server it reaches. */
export interface RigidClient {
  /** Opens a connection, asks once and returns the status; rejects when it is refused. */
  get(): Promise<number>;
  /** A connection that stays open after a first answer; `closed` settles when the server ends it. */
  hold(): Promise<{ readonly closed: Promise<void> }>;
}

export function createRigidClient(generation: Generation, port: number): RigidClient {
  const identity = secureContextOptions(generation);
  const open = async (): Promise<{ status: number; closed: Promise<void>; destroy(): void }> => {
    const socket = connect({ ...identity, host: "127.0.0.1", port, rejectUnauthorized: false });
    socket.on("error", () => {});
    const closed = once(socket, "close").then(() => {});
    socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    const answer = once(socket, "data", { signal: AbortSignal.timeout(10_000) });
    const ended = closed.then(() => Promise.reject(new Error("the server closed the connection")));
    const [octets] = (await Promise.race([answer, ended])) as [Buffer];
    return {
      status: Number(octets.toString("latin1").split(" ")[1]),
      closed,
      destroy: () => socket.destroy(),
    };
  };

  return {
    async get() {
      const { status, destroy } = await open();
      destroy();
      return status;
    },
    async hold() {
      const { closed } = await open();
      return { closed };
    },
  };
}
