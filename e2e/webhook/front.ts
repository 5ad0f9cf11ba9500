import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands in for a Service: each connection goes to the first of the addresses that takes it. */
export interface Front extends AsyncDisposable {
  readonly port: number;
  /** Closes what is open, so that whoever comes next shakes hands anew; resolves when the clients have closed it too. */
  cut(): Promise<void>;
}

export async function startFront(
  addresses: readonly { readonly host: string; readonly port: number }[],
): Promise<Front> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on("error", () => {}).once("close", () => clients.delete(client));
    connectFirst(addresses).then(
      (upstream) => {
        upstream.on("error", () => {}).once("close", () => client.destroy());
        client.once("close", () => upstream.destroy());
        if (client.destroyed) upstream.destroy();
        else client.pipe(upstream).pipe(client);
      },
      () => client.resetAndDestroy(),
    );
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const cut = async (): Promise<void> => {
    const closed = [...clients].map((client) => once(client.end(), "close"));
    await Promise.all(closed);
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const client of clients) client.destroy();
      await closed;
    },
  };
}

async function connectFirst(
  addresses: readonly { readonly host: string; readonly port: number }[],
): Promise<Socket> {
  let refusal: unknown;
  for (const address of addresses) {
    const socket = connect({ ...address, noDelay: true });
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}
