import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import type { TestIdentity } from "@newleaf/testing";

export interface EndpointAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A bundle endpoint on loopback, over real TLS. */
export interface BundleEndpointServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The paths asked for, in order. */
  readonly requests: readonly string[];
  /** Serves this from now on; undefined leaves requests without an answer. */
  serve(answer: EndpointAnswer | ((path: string) => EndpointAnswer) | string | undefined): void;
  present(identity: TestIdentity): void;
}

export async function startBundleEndpoint(
  identity: TestIdentity,
  first?: string | EndpointAnswer,
): Promise<BundleEndpointServer> {
  let current: EndpointAnswer | ((path: string) => EndpointAnswer) | string | undefined = first;
  const requests: string[] = [];
  const server = https.createServer(credentials(identity), (request, response) => {
    const path = request.url ?? "";
    requests.push(path);
    const answer = typeof current === "function" ? current(path) : current;
    if (answer === undefined) return;
    const { status = 200, headers = {}, body = "" } = typeof answer === "string" ? { body: answer } : answer;
    response.writeHead(status, headers).end(body);
  });
  server.on("tlsClientError", () => {});
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `https://127.0.0.1:${port}/bundle`,
    requests,
    serve: (answer) => {
      current = answer;
    },
    present: (next) => server.setSecureContext(credentials(next)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function credentials({ chainPem, keyPem }: TestIdentity): https.ServerOptions {
  return { cert: chainPem, key: keyPem };
}

/** Resolves when the condition holds, looked at once in every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`condition not met: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
