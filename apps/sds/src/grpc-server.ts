import type { Duplex } from "node:stream";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { grpcService, SecretDiscoveryService } from "@newleaf/proto";
import type { SdsService } from "./sds-service.ts";

/** gRPC over connections that somebody else has accepted, and has let in. */
export interface GrpcServer extends AsyncDisposable {
  accept(connection: Duplex): void;
}

/** Names and refusals are short: anything larger is not from an Envoy. */
const LARGEST_REQUEST = 1024 * 1024;
/** Streams of one connection: an Envoy opens one for each secret and place that it is used in. */
const STREAMS_OF_ONE_CONNECTION = 1_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

/** Disposal takes no more calls, says goodbye on every connection, and cuts those that stay. */
export function createGrpcServer(
  service: SdsService,
  { keepaliveMs, lingerMs = 1_000 }: { readonly keepaliveMs: number; readonly lingerMs?: number },
): GrpcServer {
  const server = new Server({
    "grpc.max_receive_message_length": LARGEST_REQUEST,
    "grpc.max_concurrent_streams": STREAMS_OF_ONE_CONNECTION,
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.enable_channelz": 0,
  });
  server.addService(
    grpcService(SecretDiscoveryService),
    service.handlers as unknown as UntypedServiceImplementation,
  );
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const connections = new Set<Duplex>();
  return {
    accept(connection) {
      connections.add(connection);
      connection.once("close", () => connections.delete(connection));
      // HTTP/2 reports what goes wrong on its session; nothing is left to say here.
      connection.on("error", () => {});
      injector.injectConnection(connection);
    },
    async [Symbol.asyncDispose]() {
      service.endStreams();
      injector.destroy();
      const gone = Promise.all([...connections].map(closed));
      const timer = setTimeout(() => {
        for (const connection of connections) connection.destroy();
      }, lingerMs);
      await gone;
      clearTimeout(timer);
      server.forceShutdown();
    },
  };
}

function closed(connection: Duplex): Promise<void> {
  return connection.closed ? Promise.resolve() : new Promise((resolve) => connection.once("close", resolve));
}
