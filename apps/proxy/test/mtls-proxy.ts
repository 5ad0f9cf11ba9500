import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { type RequestOptions, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, silentLogger } from "@newleaf/daemon";
import { type Authorizer, allow, type IdentitySource, type Rejection, watchFiles } from "@newleaf/rotation";
import {
  type AtomicVolume,
  createAtomicVolume,
  createTestAuthority,
  type TestAuthority,
  type TestIdentity,
} from "@newleaf/testing";
import { startProxyClient } from "../src/client-proxy.ts";
import type { ProxyLimits } from "../src/limits.ts";
import { type RunningServerProxy, startProxyServer } from "../src/server-proxy.ts";
import { parseClientTarget, parseServerTarget } from "../src/target.ts";

const limits: ProxyLimits = {
  maxConnections: 1_000,
  maxHeaderSize: 16_384,
  timeouts: { connectMs: 2_000, responseMs: 5_000, idleMs: 20_000, tunnelMs: 20_000 },
};

/** A proxy server on certificates in a volume, and what its clients need. */
export interface MtlsProxy extends AsyncDisposable {
  readonly authority: TestAuthority;
  readonly volume: AtomicVolume;
  readonly source: IdentitySource;
  readonly proxy: RunningServerProxy;
  readonly port: number;
  readonly rejections: Rejection[];
  /** A good client identity. */
  readonly client: TestIdentity;
  get(options?: RequestOptions, identity?: TestIdentity): Promise<IncomingMessage>;
}

export const serverNames = { dnsNames: ["backend.shop.svc", "localhost"], uris: ["spiffe://shop/backend"] };
export const clientNames = { dnsNames: ["frontend.shop.svc"], uris: ["spiffe://shop/frontend"] };

export async function startMtlsProxy(
  target: string,
  options: {
    authorize?: Authorizer;
    limits?: Partial<ProxyLimits>;
    logger?: Logger;
    drainTimeoutMs?: number;
  } = {},
): Promise<MtlsProxy> {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-proxy-"));
  const authority = createTestAuthority();
  const volume = await createAtomicVolume(join(directory, "certs"));
  await volume.write(authority.issue(serverNames).files());
  const source = await watchFiles({ directory: volume.directory });
  const rejections: Rejection[] = [];
  const proxy = await startProxyServer({
    listen: { host: "127.0.0.1", port: 0 },
    target: parseServerTarget(target),
    source,
    authorize: options.authorize ?? allow.dns("frontend.shop.svc"),
    limits: { ...limits, ...options.limits },
    handshakeTimeoutMs: 2_000,
    ...(options.drainTimeoutMs === undefined ? {} : { drainTimeoutMs: options.drainTimeoutMs }),
    logger: options.logger ?? silentLogger,
    onRejection: (rejection) => void rejections.push(rejection),
  });
  const port = "port" in proxy.address ? proxy.address.port : 0;
  const client = authority.issue(clientNames);
  return {
    authority,
    volume,
    source,
    proxy,
    port,
    rejections,
    client,
    get: (requestOptions = {}, identity = client) =>
      new Promise((resolve, reject) => {
        request({ host: "localhost", port, agent: false, ...tlsOf(identity), ...requestOptions }, resolve)
          .on("error", reject)
          .end();
      }),
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function tlsOf(identity: TestIdentity): { cert: string; key: string; ca: string } {
  return { cert: identity.chainPem, key: identity.keyPem, ca: identity.trustPem };
}

/** A proxy client in front of an mTLS proxy, with certificates of its own. */
export async function startClientSide(
  server: MtlsProxy,
  options: Partial<Parameters<typeof startProxyClient>[0]> & { scheme?: "https" | "tls" } = {},
) {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-proxy-client-"));
  const volume = await createAtomicVolume(join(directory, "certs"));
  await volume.write(server.authority.issue(clientNames).files());
  const source = await watchFiles({ directory: volume.directory });
  const { scheme = "https", ...rest } = options;
  const proxy = await startProxyClient({
    listen: { host: "127.0.0.1", port: 0 },
    target: parseClientTarget(`${scheme}://localhost:${server.port}`),
    source,
    limits,
    logger: silentLogger,
    ...rest,
  });
  return {
    proxy,
    volume,
    source,
    port: "port" in proxy.address ? proxy.address.port : 0,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
