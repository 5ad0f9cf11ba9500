import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { grpcService, SpiffeWorkloadAPI } from "@newleaf/proto";

/** Where the Workload API listens: can be stopped and started again at the same address. */
export interface WorkloadApiListener extends AsyncDisposable {
  readonly address: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Nothing listens until `start`. */
export async function createWorkloadApiListener(
  implementation: UntypedServiceImplementation,
  { path, tcp = false }: { readonly path?: string; readonly tcp?: boolean },
): Promise<WorkloadApiListener> {
  const folder = path === undefined && !tcp ? await mkdtemp(join(tmpdir(), "newleaf-wl-")) : undefined;
  const socket = path ?? (folder && join(folder, "api.sock"));
  let port = 0;
  let server: Server | undefined;
  const stop = async (): Promise<void> => {
    server?.forceShutdown();
    server = undefined;
    if (socket) await rm(socket, { force: true });
  };
  return {
    get address() {
      return socket ? `unix://${socket}` : `tcp://127.0.0.1:${port}`;
    },
    async start() {
      if (server) return;
      // An agent that was killed leaves its socket behind, and the next one removes it.
      if (socket) await rm(socket, { force: true });
      server = new Server();
      server.addService(sendOctetsAsTheyAre(), implementation);
      port = await bind(server, socket ? `unix:${socket}` : `127.0.0.1:${port}`);
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  };
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

function sendOctetsAsTheyAre(): ReturnType<typeof grpcService> {
  const service = grpcService(SpiffeWorkloadAPI);
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const { responseSerialize } = method;
      const serialize = (message: object): Buffer =>
        message instanceof Uint8Array ? Buffer.from(message) : responseSerialize(message);
      return [name, { ...method, responseSerialize: serialize }];
    }),
  );
}
