import { once } from "node:events";
import { createServer, get } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  type Authorizer,
  createRotatingAgent,
  type IdentitySource,
  type Rejection,
  rotateServer,
  type ServerRotation,
  serverOptions,
} from "@newleaf/rotation";
import { createRotatingDispatcher } from "@newleaf/rotation/undici";
import { watchSpiffe, type X509Source } from "@newleaf/spiffe";
import { request } from "undici";
import type { Spire } from "../spire.ts";
import { until } from "../until.ts";

/** The workload `id`; waits while its entry has not reached the agent yet. */
export function watchWorkload(spire: Spire, id: string): Promise<X509Source> {
  return watchSpiffe({
    address: spire.address,
    pick: (svids) => svids.find((svid) => `${svid.id}` === id),
    graceMs: 1000,
  });
}

/** An https server with the identity of a source, and what it refused. */
export interface Service extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly rotation: ServerRotation;
  readonly rejections: readonly Rejection[];
}

export async function startService(source: IdentitySource, authorize: Authorizer): Promise<Service> {
  const rejections: Rejection[] = [];
  // Idle connections are ended by our rules alone.
  const options = { ...serverOptions(source), keepAliveTimeout: 600_000 };
  const server = createServer(options, (_request, response) => void response.end("hello"));
  const onRejection = (rejection: Rejection): void => void rejections.push(rejection);
  const rotation = rotateServer(server, source, { authorize, onRejection });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}/`,
    port,
    rotation,
    rejections,
    async [Symbol.asyncDispose]() {
      await rotation[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Requests without a pause by an https.Agent and an undici dispatcher, until it is disposed. */
export interface Load extends AsyncDisposable {
  readonly requests: number;
  /** In words; nothing is repeated or forgiven. */
  readonly failures: readonly string[];
  /** Serial numbers of the certificates that the server showed. */
  readonly served: ReadonlySet<string>;
  /** Resolves when so many more requests have been answered. */
  more(requests: number): Promise<void>;
}

export function startLoad(source: IdentitySource, url: string, authorizeServer: Authorizer): Load {
  const agent = createRotatingAgent(source, { authorizeServer });
  const dispatcher = createRotatingDispatcher(source, { authorizeServer });
  const failures: string[] = [];
  const served = new Set<string>();
  let requests = 0;
  let going = true;
  const loop = async (client: string, ask: () => Promise<number>): Promise<void> => {
    while (going) {
      try {
        const status = await ask();
        if (status !== 200) failures.push(`${client}: ${status}`);
      } catch (error) {
        failures.push(`${client} at ${new Date().toISOString()}: ${String(error)}`);
      }
      requests++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const byAgent = (): Promise<number> =>
    new Promise((resolve, reject) => {
      get(url, { agent }, (response) => {
        served.add((response.socket as TLSSocket).getPeerCertificate().serialNumber);
        response.resume().on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", reject);
      }).on("error", reject);
    });
  const byDispatcher = async (): Promise<number> => {
    const response = await request(url, { dispatcher });
    await response.body.text();
    return response.statusCode;
  };
  const loops = [byAgent, byAgent, byDispatcher, byDispatcher].map((ask) => loop(ask.name, ask));

  return {
    get requests() {
      return requests;
    },
    failures,
    served,
    async more(count) {
      const from = requests;
      await until(`${count} more requests`, () => requests >= from + count);
    },
    async [Symbol.asyncDispose]() {
      going = false;
      await Promise.all(loops);
      await agent[Symbol.asyncDispose]();
      await dispatcher[Symbol.asyncDispose]();
    },
  };
}
