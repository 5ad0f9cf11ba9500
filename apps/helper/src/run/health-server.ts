import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Health } from "@newleaf/daemon";
import type { HealthChecksConfig } from "../config/parts.ts";
import { HelperError } from "../error.ts";
import { isLive, isWritten, type WriteStatuses } from "./write-statuses.ts";

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

/**
 * spiffe-helper's health endpoints, on all interfaces: its JSON and its status codes. Beyond what it asks, readiness
 * fails when the certificate on disk has expired, or is not what is served.
 */
export async function serveHealthChecks(
  config: HealthChecksConfig,
  statuses: WriteStatuses,
  health: Health,
): Promise<HealthServer> {
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 5_000, maxHeaderSize: 8_192 },
    async (request, response) => {
      request.resume();
      const path = request.url?.split("?")[0];
      if (path === config.livenessPath) return answer(response, isLive(statuses), statuses);
      if (path !== config.readinessPath) return response.writeHead(404).end();
      const { ok } = await health.readiness();
      return answer(response, ok && isWritten(statuses), statuses);
    },
  );
  server.maxConnections = 64;
  server.setTimeout(10_000, (socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new HelperError(
          "ERR_HELPER_CONFIG",
          `health checks cannot listen on port ${config.port}: ${cause.message}`,
          {
            cause,
            hint: "choose another bind_port in health_checks",
          },
        ),
      ),
    );
    server.listen(config.port, resolve);
  });
  let closing: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]() {
      closing ??= new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

function answer(response: ServerResponse, good: boolean, { x509, jwt }: WriteStatuses): void {
  const body = {
    status: good ? "OK" : "Service Unavailable",
    health: {
      file_write_statuses: {
        ...(x509 === undefined ? {} : { x509_write_status: x509 }),
        jwt_write_status: Object.fromEntries(jwt),
      },
    },
  };
  response.writeHead(good ? 200 : 503, { "content-type": "application/json" }).end(JSON.stringify(body));
}
