import { once } from "node:events";
import { createServer } from "node:net";

/** Where replicas listen. */
export interface Loopback {
  /** Each has an address of its own, as Pods have, and all the same port. */
  readonly likePods: boolean;
  /** Of the `n`th replica, from 1 on. */
  address(n: number): Promise<{ readonly host: string; readonly port: number }>;
}

/** All of 127.0.0.0/8 where the system has it (Linux, Windows), otherwise 127.0.0.1 and a port for each. */
export async function findLoopback(): Promise<Loopback> {
  const port = await freePort("127.0.1.1").catch(() => undefined);
  if (port !== undefined) {
    return { likePods: true, address: async (n) => ({ host: `127.0.1.${n}`, port }) };
  }
  return {
    likePods: false,
    address: async () => ({ host: "127.0.0.1", port: await freePort("127.0.0.1") }),
  };
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}
