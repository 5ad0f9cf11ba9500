import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import {
  createRotatingAgent,
  type Generation,
  type Rejection,
  rotateServer,
  type ServerRotation,
  serverOptions,
} from "@newleaf/rotation";
import { createRotatingDispatcher } from "@newleaf/rotation/undici";
import { type SpiffeAuthority, startWorkloadApi, type WorkloadApiServer } from "@newleaf/testing";
import { onTestFinished } from "vitest";
import { spiffe } from "../src/authorizers.ts";
import { type WatchSpiffeOptions, watchSpiffe, type X509Source } from "../src/x509-source.ts";

/** A workload with an agent of its own, which it follows. */
export interface Workload {
  readonly api: WorkloadApiServer;
  readonly source: X509Source;
}

export async function startWorkload(
  authority: SpiffeAuthority,
  path: string,
  options: WatchSpiffeOptions & { readonly federated?: readonly SpiffeAuthority[] } = {},
): Promise<Workload> {
  const { federated = [], ...watching } = options;
  const api = await startWorkloadApi({ authority, workloads: [{ path }], federated });
  onTestFinished(() => api[Symbol.asyncDispose]());
  const source = await watchSpiffe({ address: api.address, ...watching });
  onTestFinished(() => source[Symbol.asyncDispose]());
  return { api, source };
}

export interface Backend {
  readonly url: string;
  readonly rotation: ServerRotation;
  /**
   * Who was refused. Not who gave up while it was connecting, as clients do with connections that a rotation has
   * overtaken.
   */
  readonly rejections: readonly Rejection[];
  /** The IDs whose requests were answered. */
  readonly callers: ReadonlySet<string>;
}

/** An https server of the workload that lets every member of every known trust domain in. */
export async function startBackend({ source }: Workload, authorize = spiffe.any()): Promise<Backend> {
  const rejections: Rejection[] = [];
  const callers = new Set<string>();
  const server = https.createServer(serverOptions(source), (_, response) => response.end("ok"));
  const rotation = rotateServer(server, source, {
    authorize: (peer) => {
      const admitted = authorize(peer);
      if (admitted) callers.add(peer.uris.join());
      return admitted;
    },
    drainJitterMs: 20,
    onRejection: (rejection) => {
      if (rejection.code !== "handshake_failed") rejections.push(rejection);
    },
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rotation[Symbol.asyncDispose]();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}/`, rotation, rejections, callers };
}

/** Asks a backend once; rejects when it, or we, refuse. */
export type Ask = (url: string) => Promise<string>;

export function withAgent({ source }: Workload, authorizeServer = spiffe.any()): Ask {
  const agent = createRotatingAgent(source, { authorizeServer });
  onTestFinished(() => agent[Symbol.asyncDispose]());
  return (url) =>
    new Promise((resolve, reject) => {
      const request = https.get(url, { agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve(text)).on("error", reject);
      });
      request.on("error", reject);
    });
}

export function withDispatcher({ source }: Workload, authorizeServer = spiffe.any()): Ask {
  const dispatcher = createRotatingDispatcher(source, { authorizeServer });
  onTestFinished(() => dispatcher[Symbol.asyncDispose]());
  return async (url) => {
    const { body } = await dispatcher.request({ origin: new URL(url).origin, path: "/", method: "GET" });
    return body.text();
  };
}

/** Asks again and again from several sides while `work` is under way. Rejects with the first failure. */
export async function underLoad(
  asks: readonly Ask[],
  url: string,
  work: () => Promise<void>,
): Promise<number> {
  let done = false;
  let answered = 0;
  const asking = Promise.all(
    asks.map(async (ask) => {
      while (!done) {
        if ((await ask(url)) !== "ok") throw new Error("another answer");
        answered += 1;
      }
    }),
  );
  const working = work().finally(() => {
    done = true;
  });
  await Promise.all([asking, working]);
  return answered;
}

/** The first generation, the current one included, that satisfies the condition. */
export async function generation(
  { source }: Workload,
  condition: (generation: Generation) => boolean,
): Promise<Generation> {
  for await (const current of source.watch(AbortSignal.timeout(10_000)))
    if (condition(current)) return current;
  throw new Error(`no generation within 10 s: ${condition}`);
}

/** Resolves once the workload has what its agent holds now. */
export async function caughtUp(workload: Workload): Promise<Generation> {
  const { sha256 } = workload.api.svids[0]!.identity.certificate;
  return generation(workload, ({ leaf }) => leaf.sha256 === sha256);
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
