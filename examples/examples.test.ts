// Every example as a process of its own, on a volume that rotates. They run on the built packages: `npx tsc -b`.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { Client, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import {
  allow,
  peerOf,
  rotateServer,
  type ServerRotation,
  serverOptions,
  watchFiles,
} from "@newleaf/rotation";
import {
  type CsiVolume,
  createTestAuthority,
  startCsiVolume,
  type TestAuthority,
  type TestIdentity,
} from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import { type RunningProcess, startProcess } from "../e2e/process.ts";
import { type Greeter, greeter } from "./greeter.ts";

const DEADLINE_MS = 20_000;

describe.each([
  { example: "https-server", connect: overHttp1 },
  { example: "fastify-server", connect: overHttp1 },
  { example: "express-server", connect: overHttp1 },
  { example: "hono-server", connect: overHttp1 },
  { example: "http2-server", connect: overHttp1 },
  { example: "http2-server", connect: overHttp2 },
  { example: "grpc-server", connect: overGrpc },
])("$example $connect.name", ({ example, connect }) => {
  test("serves what its volume holds, to whom it allows", async () => {
    await using world = await createWorld();
    const { authority, backend } = world;
    await using process = startExample(example, { CERTS: backend.directory, PORT: "0" });
    const [, port = ""] = /port: (\d+)/.exec(await process.line(/port: /)) ?? [];
    const frontend = connect(Number(port), authority, world.frontend.current().identity);
    try {
      expect(await frontend.ask()).toBe(backend.current().sha256);
      for (let rotation = 1; rotation <= 2; rotation++) {
        const { sha256 } = await backend.renewNow();
        const deadline = AbortSignal.timeout(DEADLINE_MS);
        while ((await frontend.ask()) !== sha256) deadline.throwIfAborted();
      }
      for (const identity of [undefined, authority.issue({ dnsNames: ["stranger.shop.svc"] })]) {
        const other = connect(Number(port), authority, identity);
        await expect(other.ask()).rejects.toThrow();
        other.close();
      }
      expect(await frontend.ask()).toBe(backend.current().sha256);
    } finally {
      frontend.close();
    }
  });
});

describe.each([
  { example: "fetch-client", listen: listenHttp },
  { example: "https-agent-client", listen: listenHttp },
  { example: "http2-client", listen: listenHttp },
  { example: "grpc-client", listen: listenGrpc },
])("$example", ({ example, listen }) => {
  test("goes on while its certificate and the server's rotate", async () => {
    await using world = await createWorld();
    await using server = await startPeer(world.backend, listen);
    const env = { CERTS: world.frontend.directory, URL: `https://localhost:${server.port}/` };
    await using process = startExample(example, { ...env, TARGET: `localhost:${server.port}` });

    await server.visitedBy(world.frontend.current().sha256);
    for (let rotation = 1; rotation <= 2; rotation++) {
      const [{ sha256 }] = await Promise.all([world.frontend.renewNow(), world.backend.renewNow()]);
      await server.rotation.whenServed(world.backend.current().sha256, AbortSignal.timeout(DEADLINE_MS));
      await server.visitedBy(sha256);
    }
    server.sayGoodbye();
    expect(await process.exit(DEADLINE_MS)).toBe(0);
    const [last, ...answers] = process.lines.toReversed();
    expect(last).toContain("goodbye");
    expect(answers.filter((line) => !/^(200 )?hello$/.test(line))).toEqual([]);
  });
});

interface World extends AsyncDisposable {
  readonly authority: TestAuthority;
  readonly backend: CsiVolume;
  readonly frontend: CsiVolume;
}

/** The volumes of a server and of a client of it, renewed when a test says so. */
async function createWorld(): Promise<World> {
  const authority = createTestAuthority();
  const directory = await mkdtemp(join(tmpdir(), "newleaf-examples-"));
  const volume = (name: string, dnsNames: readonly string[]): Promise<CsiVolume> =>
    startCsiVolume({
      directory: join(directory, name),
      authority,
      issue: { dnsNames },
      durationMs: 3_600_000,
    });
  const backend = await volume("backend", ["localhost"]);
  const frontend = await volume("frontend", ["frontend.shop.svc"]);
  return {
    authority,
    backend,
    frontend,
    async [Symbol.asyncDispose]() {
      await Promise.all([backend[Symbol.asyncDispose](), frontend[Symbol.asyncDispose]()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function startExample(name: string, env: Record<string, string>): RunningProcess {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  return startProcess(process.execPath, ["--import", "tsx", file], env);
}

/** A client of a server example. */
interface Frontend {
  /** One request; the SHA-256 of the leaf that the server showed. Rejects unless it answers "hello". */
  ask(): Promise<string>;
  close(): void;
}

type Connect = (port: number, authority: TestAuthority, identity: TestIdentity | undefined) => Frontend;

function tlsOptions(authority: TestAuthority, identity: TestIdentity | undefined): tls.ConnectionOptions {
  return { ca: authority.trustPem, ...(identity ? { cert: identity.chainPem, key: identity.keyPem } : {}) };
}

function sha256Of({ fingerprint256 }: tls.PeerCertificate): string {
  return fingerprint256.replaceAll(":", "").toLowerCase();
}

/** A connection for each request. */
function overHttp1(...[port, authority, identity]: Parameters<Connect>): Frontend {
  return {
    ask: async () => {
      const options = { ...tlsOptions(authority, identity), agent: false, timeout: DEADLINE_MS };
      const request = https.get(`https://localhost:${port}/`, options);
      const [response] = await once(request, "response");
      const leaf = sha256Of(response.socket.getPeerCertificate());
      expect((await response.toArray()).join("")).toContain("hello");
      return leaf;
    },
    close: () => {},
  };
}

/** A session for each request. */
function overHttp2(...[port, authority, identity]: Parameters<Connect>): Frontend {
  return {
    ask: async () => {
      const session = http2.connect(`https://localhost:${port}`, tlsOptions(authority, identity));
      try {
        const stream = session.request({ ":path": "/" });
        const refused = once(session, "close").then(() =>
          Promise.reject(new Error("the session was closed")),
        );
        const answer = await Promise.race([stream.toArray(), refused]);
        expect(answer.join("")).toContain("hello");
        return sha256Of((session.socket as tls.TLSSocket).getPeerCertificate());
      } finally {
        session.close();
      }
    },
    close: () => {},
  };
}

/** One channel, whose connections are those that the server lets it keep. */
function overGrpc(...[port, authority, identity]: Parameters<Connect>): Frontend {
  const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  const channel = new Client(
    `localhost:${port}`,
    credentials.createSsl(Buffer.from(authority.trustPem), pem(identity?.keyPem), pem(identity?.chainPem)),
  );
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = greeter.hello;
        const options = { deadline: Date.now() + DEADLINE_MS };
        const call = channel.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          "test",
          options,
          (error, reply) => {
            if (error) return reject(error);
            expect(reply).toBe("hello DNS:frontend.shop.svc, IP Address:127.0.0.1");
            const shown = call.getAuthContext()?.sslPeerCertificate;
            return shown ? resolve(sha256Of(shown)) : reject(new Error("no certificate"));
          },
        );
      }),
    close: () => channel.close(),
  };
}

/** A server for the client examples, which rotates as well. */
interface Peer extends AsyncDisposable {
  readonly port: number;
  readonly rotation: ServerRotation;
  /** Resolves when a client with this leaf comes by from now on. */
  visitedBy(sha256: string): Promise<void>;
  /** Answers "goodbye" from now on. */
  sayGoodbye(): void;
}

/** A server that answers with what `visit` returns for the leaf of the client. */
type Listen = (options: tls.TlsOptions, visit: (sha256: string | undefined) => string) => tls.Server;

async function startPeer(volume: CsiVolume, listen: Listen): Promise<Peer> {
  const identity = await watchFiles({ directory: volume.directory });
  const waiters = new Map<string, () => void>();
  let answer = "hello";
  const server = listen(serverOptions(identity), (sha256 = "") => {
    waiters.get(sha256)?.();
    return answer;
  });
  const rotation = rotateServer(server, identity, {
    authorize: allow.dns("frontend.shop.svc"),
    drainJitterMs: 0,
  });
  await once(server.listen(0), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    rotation,
    visitedBy: (sha256) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no visit of ${sha256}`)), DEADLINE_MS);
        waiters.set(sha256, () => {
          clearTimeout(timer);
          resolve();
        });
      }),
    sayGoodbye() {
      answer = "goodbye";
    },
    async [Symbol.asyncDispose]() {
      server.close();
      await rotation[Symbol.asyncDispose]();
      await identity[Symbol.asyncDispose]();
    },
  };
}

function listenHttp(...[options, visit]: Parameters<Listen>): tls.Server {
  const server = http2.createSecureServer({ ...options, allowHTTP1: true });
  return server.on("request", (request, response) => {
    const answer = visit(peerOf(request.socket)?.leaf.sha256);
    response.statusCode = answer === "hello" ? 200 : 410;
    response.end(answer);
  });
}

function listenGrpc(...[options, visit]: Parameters<Listen>): tls.Server {
  const grpc = new Server();
  const implementation: Greeter = {
    hello: (call, reply) => {
      const { sslPeerCertificate } = call.getAuthContext();
      reply(null, visit(sslPeerCertificate && sha256Of(sslPeerCertificate)));
    },
  };
  grpc.addService(greeter, implementation);
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const server = tls.createServer({ ...options, ALPNProtocols: ["h2"] });
  return server.on("secureConnection", (socket) => injector.injectConnection(socket));
}
