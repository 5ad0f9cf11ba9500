import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import {
  allow,
  createRolloverParticipant,
  type Rejection,
  type RolloverParticipant,
  rotateServer,
  type ServerRotation,
  serverOptions,
  watchFiles,
} from "@newleaf/rotation";

/** The seed's backend: answers hello to clients of the demo's trust domain, and to nobody else. */
export interface Backend extends AsyncDisposable {
  readonly url: string;
  readonly address: string;
  readonly rotation: ServerRotation;
  readonly participant: RolloverParticipant;
}

export async function startBackend(
  directory: string,
  onRejection: (rejection: Rejection) => void,
): Promise<Backend> {
  const identity = await watchFiles({ directory, files: { crl: "crl.pem" } });
  const server = createServer(serverOptions(identity), (_request, response) => response.end("hello\n"));
  const rotation = rotateServer(server, identity, {
    authorize: allow.spiffeId("spiffe://demo.test/ns/mtls-demo/*"),
    // The rogue does not finish one of its handshakes; the demo has no time to give it the usual 10 s.
    handshakeTimeoutMs: 3_000,
    onRejection,
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}/`,
    address: `localhost:${port}`,
    rotation,
    participant: createRolloverParticipant({ name: "backend", source: identity, rotation }),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await rotation[Symbol.asyncDispose]();
      await identity[Symbol.asyncDispose]();
    },
  };
}
