import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@newleaf/daemon";
import { createSdsServer, type SdsServer, type SdsServerOptions } from "../src/sds-server.ts";
import type { SdsLimits } from "../src/sds-service.ts";
import { listenOnSocket } from "../src/unix-listener.ts";
import { connectSds, type SdsClient } from "./sds-client.ts";

/** An SDS server without identities on a unix socket, and a client of it. */
export interface StartedSds extends AsyncDisposable {
  readonly server: SdsServer;
  readonly path: string;
  readonly client: SdsClient;
}

export async function startSds(
  options: Partial<Omit<SdsServerOptions, "limits">> & { readonly limits?: Partial<SdsLimits> } = {},
): Promise<StartedSds> {
  const folder = await mkdtemp(join(tmpdir(), "newleaf-sds-"));
  const path = join(folder, "sds.sock");
  const server = createSdsServer({
    keepaliveMs: 30_000,
    logger: silentLogger,
    ...options,
    limits: { maxNames: 16, maxStreams: 100, ...options.limits },
  });
  const listener = await listenOnSocket(path, {
    mode: 0o600,
    maxConnections: 100,
    onConnection: (socket) => server.accept(socket),
  });
  const client = connectSds(`unix:${path}`);
  return {
    server,
    path,
    client,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await listener[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
