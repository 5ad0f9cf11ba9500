import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Authorizer,
  allow,
  type IdentitySource,
  rotateServer,
  type ServerRotation,
  serverOptions,
  watchFiles,
} from "@newleaf/rotation";
import {
  type AtomicVolume,
  createAtomicVolume,
  createTestAuthority,
  type TestAuthority,
} from "@newleaf/testing";

export const serverNames = { dnsNames: ["localhost"], uris: ["spiffe://shop/backend"] };
export const clientNames = { dnsNames: ["frontend.shop.svc"], uris: ["spiffe://shop/frontend"] };

/** A rotating server on certificates in a volume, and a volume of a client of the same authority. */
export interface MtlsServer extends AsyncDisposable {
  readonly directory: string;
  readonly authority: TestAuthority;
  readonly server: Server;
  readonly rotation: ServerRotation;
  readonly source: IdentitySource;
  readonly volume: AtomicVolume;
  readonly clientVolume: AtomicVolume;
  readonly url: string;
  readonly port: number;
}

export async function startMtlsServer(
  options: { authorize?: Authorizer; crl?: (authority: TestAuthority) => string; status?: () => number } = {},
): Promise<MtlsServer> {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-probe-"));
  const authority = createTestAuthority();
  const volume = await createAtomicVolume(join(directory, "server"));
  const clientVolume = await createAtomicVolume(join(directory, "client"));
  const crl = options.crl?.(authority);
  await volume.write({ ...authority.issue(serverNames).files(), ...(crl ? { "crl.pem": crl } : {}) });
  await clientVolume.write(authority.issue(clientNames).files());
  const source = await watchFiles({
    directory: volume.directory,
    ...(crl ? { files: { crl: "crl.pem" } } : {}),
  });
  const server = createServer(serverOptions(source), (_request, response) => {
    response.statusCode = options.status?.() ?? 200;
    response.end("hello");
  });
  const rotation = rotateServer(server, source, {
    authorize: options.authorize ?? allow.dns("frontend.shop.svc"),
    handshakeTimeoutMs: 300,
    drainJitterMs: 0,
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    directory,
    authority,
    server,
    rotation,
    source,
    volume,
    clientVolume,
    url: `https://localhost:${port}/`,
    port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await rotation[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
