import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DaemonError } from "./error.ts";
import type { Health, HealthReport } from "./health.ts";
import { formatHostPort, type HostPort } from "./host-port.ts";
import type { Metrics } from "./metrics.ts";

export interface AdminResponse {
  readonly status?: number;
  /** Default `application/json`. */
  readonly contentType?: string;
  readonly body: string;
}

/** Answers GET (and so HEAD) of one path. */
export type AdminRoute = (url: URL) => AdminResponse | Promise<AdminResponse>;

export interface AdminOptions {
  readonly address: HostPort;
  readonly health: Health;
  readonly metrics: Metrics;
  /** More paths, such as `/rotations`. */
  readonly routes?: Readonly<Record<string, AdminRoute>>;
}

export interface AdminServer extends AsyncDisposable {
  /** Where it really listens, also when port 0 was asked for. */
  readonly address: HostPort;
  readonly url: string;
  /** Answers these paths from now on. */
  addRoutes(routes: Readonly<Record<string, AdminRoute>>): void;
}

/**
 * Serves `/livez`, `/readyz` (`?verbose` for JSON with every check), `/metrics` and the given routes over plain
 * HTTP, GET and HEAD only. Resolves once it listens; rejects with `ERR_DAEMON_LISTEN`. Disposal closes every
 * connection.
 */
export async function serveAdmin(options: AdminOptions): Promise<AdminServer> {
  const routes = new Map<string, AdminRoute>([
    ["/livez", async (url) => healthResponse(await options.health.liveness(), "alive", url)],
    ["/readyz", async (url) => healthResponse(await options.health.readiness(), "ready", url)],
    [
      "/metrics",
      async () => ({ contentType: options.metrics.contentType, body: await options.metrics.render() }),
    ],
    ...Object.entries(options.routes ?? {}),
  ]);
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 5_000, maxHeaderSize: 8_192 },
    (request, response) => void answer(routes, request, response),
  );
  server.maxConnections = 64;
  server.setTimeout(10_000, (socket) => socket.destroy());
  const address = await listen(server, options.address);
  let closing: Promise<void> | undefined;
  return {
    address,
    url: `http://${formatHostPort(address)}`,
    addRoutes(more) {
      for (const [path, route] of Object.entries(more)) routes.set(path, route);
    },
    [Symbol.asyncDispose]() {
      closing ??= new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

async function listen(server: Server, wanted: HostPort): Promise<HostPort> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) =>
      reject(
        new DaemonError(
          "ERR_DAEMON_LISTEN",
          `admin cannot listen on ${formatHostPort(wanted)}: ${error.code}`,
          {
            hint: "choose another address with --admin host:port, or --admin off",
            cause: error,
          },
        ),
      );
    server.once("error", refuse);
    server.listen({ host: wanted.host, port: wanted.port }, () => {
      server.off("error", refuse);
      resolve();
    });
  });
  const bound = server.address() as AddressInfo;
  return { host: bound.address, port: bound.port };
}

async function answer(
  routes: ReadonlyMap<string, AdminRoute>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.resume();
  const url = parseTarget(request.url);
  const route = url === undefined ? undefined : routes.get(url.pathname);
  if (url === undefined || route === undefined) {
    return send(request, response, problem(404, "not found", { paths: [...routes.keys()] }));
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return send(request, response, problem(405, "method not allowed"));
  }
  try {
    send(request, response, await route(url));
  } catch (error) {
    send(request, response, problem(500, error instanceof Error ? error.message : String(error)));
  }
}

function send(request: IncomingMessage, response: ServerResponse, answer: AdminResponse): void {
  if (response.destroyed) return;
  const body = Buffer.from(answer.body);
  response.writeHead(answer.status ?? 200, {
    "content-type": answer.contentType ?? "application/json",
    "content-length": body.length,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function healthResponse(report: HealthReport, word: string, url: URL): AdminResponse {
  const status = report.ok ? 200 : 503;
  const reasons = Object.entries(report.checks).flatMap(([name, check]) =>
    check.ok ? [] : [`${name}: ${check.reason ?? "failed"}`],
  );
  if (url.searchParams.has("verbose")) {
    return {
      status,
      body: `${JSON.stringify({ [word]: report.ok, reasons, checks: report.checks }, null, 2)}\n`,
    };
  }
  const body = report.ok ? `${word}\n` : `not ${word}: ${reasons.join("; ")}\n`;
  return { status, contentType: "text/plain; charset=utf-8", body };
}

function problem(status: number, error: string, more: object = {}): AdminResponse {
  return { status, body: `${JSON.stringify({ error, ...more })}\n` };
}

function parseTarget(target: string | undefined): URL | undefined {
  return target?.startsWith("/") && URL.canParse(target, "http://admin")
    ? new URL(target, "http://admin")
    : undefined;
}
