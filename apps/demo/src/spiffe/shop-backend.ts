import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import {
  type IdentitySource,
  type Rejection,
  rotateServer,
  type ServerRotation,
  serverOptions,
} from "@newleaf/rotation";
import { spiffe } from "@newleaf/spiffe";
import type { DatabaseClient } from "./database.ts";

/** Asks the database for every request that it answers. */
export interface ShopBackend extends AsyncDisposable {
  readonly port: number;
  readonly rotation: ServerRotation;
}

export interface ShopBackendOptions {
  /** Whom alone it lets in. */
  readonly client: string;
  readonly database: DatabaseClient;
  readonly onRejection: (rejection: Rejection) => void;
}

/** Takes the database's client over, and leaves the identity to its owner. */
export async function startShopBackend(
  identity: IdentitySource,
  { client, database, onRejection }: ShopBackendOptions,
): Promise<ShopBackend> {
  const server = createServer(serverOptions(identity), (_request, response) => {
    database.query().then(
      () => response.end("hello\n"),
      (error: unknown) => response.writeHead(500).end(`${error instanceof Error ? error.message : error}\n`),
    );
  });
  const rotation = rotateServer(server, identity, {
    authorize: spiffe.id(client),
    // SVIDs live for seconds here: connections that a rotation ends go within one.
    drainJitterMs: 1_000,
    onRejection,
    name: "backend",
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    rotation,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await rotation[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}
