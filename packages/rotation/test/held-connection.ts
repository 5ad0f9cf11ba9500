import { once } from "node:events";
import net, { type AddressInfo } from "node:net";

/** A TCP relay in front of a server that can hold back what the client sends. */
export interface HoldingRelay extends AsyncDisposable {
  readonly port: number;
  /** Lets so many of the client's chunks through, holds the rest. Resolves when something is held. */
  readonly held: Promise<void>;
  release(): void;
}

/** Holds everything the client sends from its `after`th chunk on. A ClientHello is the first one. */
export async function startHoldingRelay(target: number, after: number): Promise<HoldingRelay> {
  let announce: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    announce = resolve;
  });
  let waiting: (() => void)[] | undefined = [];
  const sockets = new Set<net.Socket>();
  const relay = net.createServer((client) => {
    const server = net.connect(target, "127.0.0.1");
    let chunks = 0;
    for (const socket of [client, server]) {
      sockets.add(socket.on("error", () => {}).once("close", () => sockets.delete(socket)));
    }
    server.pipe(client);
    client.on("end", () => server.end());
    client.on("data", (chunk) => {
      chunks += 1;
      if (chunks <= after || !waiting) {
        server.write(chunk);
        return;
      }
      waiting.push(() => void server.write(chunk));
      announce();
    });
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  return {
    port: (relay.address() as AddressInfo).port,
    held,
    release() {
      for (const write of waiting ?? []) write();
      waiting = undefined;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(relay, "close");
      relay.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
