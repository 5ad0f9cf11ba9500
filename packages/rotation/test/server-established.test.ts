import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import tls from "node:tls";
import { createManualClock } from "@newleaf/testing";
import { expect, test } from "vitest";
import { peerOf } from "../src/verified-peer.ts";
import {
  closeOf,
  createAuthority,
  createIdentity,
  crl,
  get,
  issue,
  issueServer,
  startServer,
  within,
} from "./server-fixture.ts";
import { until } from "./waiting.ts";

const MINUTE = 60_000;

/** A server with a clock of its own, its own certificate good for long, and a client's that is good for an hour. */
async function setUp(options: Parameters<typeof startServer>[1] = {}) {
  const clock = createManualClock(Date.now());
  const authority = createAuthority();
  const leaf = issueServer(authority, Date.now(), 24 * 60 * MINUTE);
  const identity = createIdentity({ authority, leaf, clock });
  const server = await startServer(identity.source, { clock, ...options });
  // Its own check of itself must not meet a clock that jumps.
  await server.rotation.whenServed(1);
  const client = issue(authority);
  const life = client.certificate.notAfter.getTime() - Date.now();
  return { clock, authority, identity, server, client, life };
}

function counting(): {
  handled: () => number;
  handler: (request: IncomingMessage, response: ServerResponse) => void;
} {
  let handled = 0;
  return {
    handled: () => handled,
    handler: (_, response) => {
      handled += 1;
      response.end("ok");
    },
  };
}

test("a request after the peer's certificate expired never reaches the handler (HTTP/1)", async () => {
  const { handled, handler } = counting();
  const { clock, server, client, life } = await setUp({ handler });
  await using _ = server;
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  expect((await get(server.port, { ...client, agent })).body).toBe("ok");
  clock.step(life + 1_000);
  await expect(get(server.port, { ...client, agent })).rejects.toThrow();
  expect(await server.rejected()).toMatchObject({ code: "peer_expired", phase: "established" });
  expect(handled()).toBe(1);
  agent.destroy();
});

test("a stream after the peer's certificate expired never reaches the handler (HTTP/2)", async () => {
  const { handled, handler } = counting();
  const { clock, server, client, life } = await setUp({ kind: "http2", handler: handler as never });
  await using _ = server;
  let streams = 0;
  server.server.on("stream", () => {
    streams += 1;
  });
  const session = http2.connect(server.url, { ...client, rejectUnauthorized: false });
  session.on("error", () => {});
  const first = session.request({ ":path": "/" }).resume();
  await closeOf(first);
  clock.step(life + 1_000);
  const second = session.request({ ":path": "/" }).resume();
  second.on("error", () => {});
  await within(5_000, "session not closed", closeOf(session));
  expect(await server.rejected()).toMatchObject({ code: "peer_expired", phase: "established" });
  expect([handled(), streams]).toEqual([1, 1]);
});

test("an upgrade after the peer's certificate expired never reaches the handler", async () => {
  const { clock, server, client, life } = await setUp({ handler: counting().handler });
  await using _ = server;
  let upgrades = 0;
  server.server.on("upgrade", () => {
    upgrades += 1;
  });
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  await get(server.port, { ...client, agent });
  clock.step(life + 1_000);
  await expect(
    get(server.port, { ...client, agent, headers: { connection: "upgrade", upgrade: "x" } }),
  ).rejects.toThrow();
  expect(upgrades).toBe(0);
  agent.destroy();
});

test("a response that streams is cut when the peer's certificate expires, at that time and not before", async () => {
  const { clock, server, client, life } = await setUp({
    handler: (_: IncomingMessage, response: ServerResponse) => void response.write("begun"),
  });
  await using _ = server;
  const request = https.get(server.url, { ...client, rejectUnauthorized: false, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume().on("error", () => {});
  const cut = closeOf(response);
  await clock.advance(life - 1_000);
  expect(server.rejections).toEqual([]);
  expect(response.destroyed).toBe(false);
  await clock.advance(2_000);
  await within(5_000, "not cut", cut);
  expect(response.complete).toBe(false);
  expect(server.rejections).toMatchObject([{ code: "peer_expired", phase: "established" }]);
});

test("raw TLS connections end when the peer's certificate expires", async () => {
  const { clock, server, client, life } = await setUp({ kind: "tls" });
  await using _ = server;
  const socket = tls.connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false, ...client });
  await once(server.server, "secureConnection");
  const closed = closeOf(socket);
  await clock.advance(life + 1_000);
  await within(5_000, "not closed", closed);
  expect(await server.rejected()).toMatchObject({ code: "peer_expired" });
});

test("a client that rotates loses nothing: it is asked to reconnect before its certificate ends (HTTP/1)", async () => {
  const { clock, authority, server, client, life } = await setUp({ handler: counting().handler });
  await using _ = server;
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (): Promise<string | undefined> =>
    (await get(server.port, { ...client, agent })).headers.connection;
  expect(await ask()).toBe("keep-alive");
  await clock.advance(life - 31_000);
  expect(await ask()).toBe("keep-alive");
  await clock.advance(2_000);
  expect(await ask()).toBe("close");
  // With its last certificate it may go on for most of the rest; with its next one all is as before.
  expect(await ask()).toBe("keep-alive");
  const renewed = issue(authority, { notAfter: new Date(clock.now() + 60 * MINUTE) });
  expect((await get(server.port, { ...renewed, agent })).headers.connection).toBe("keep-alive");
  await clock.advance(60_000);
  expect(server.rejections).toEqual([]);
  agent.destroy();
});

test("a client that rotates is asked to reconnect before its certificate ends (HTTP/2)", async () => {
  const { clock, server, client, life } = await setUp({
    kind: "http2",
    handler: counting().handler as never,
  });
  await using _ = server;
  const session = http2.connect(server.url, { ...client, rejectUnauthorized: false });
  await closeOf(session.request({ ":path": "/" }).resume());
  const goaway = once(session, "goaway");
  const closed = closeOf(session);
  await clock.advance(life - 29_000);
  await within(5_000, "no GOAWAY", goaway);
  await clock.advance(1_000);
  await within(5_000, "not closed", closed);

  // Who comes back with the same certificate is served to its end, not sent away at once.
  const again = http2.connect(server.url, { ...client, rejectUnauthorized: false });
  await closeOf(again.request({ ":path": "/" }).resume());
  await clock.advance(5_000);
  const stream = again.request({ ":path": "/" }).resume();
  await closeOf(stream);
  expect(stream.rstCode).toBe(0);
  expect(server.rejections).toEqual([]);
  again.destroy();
});

test("an idle connection whose peer has expired is closed without a word in the log", async () => {
  const { clock, server, client, life } = await setUp({ handler: counting().handler });
  await using _ = server;
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  await get(server.port, { ...client, agent });
  await clock.advance(life + 1_000);
  await until(() => server.rotation.stats().connections === 0);
  expect(server.rejections).toEqual([]);
  agent.destroy();
});

test.each(["https", "http2", "tls"] as const)(
  "a new revocation list ends live connections at once (%s)",
  async (kind) => {
    const authority = createAuthority();
    const identity = createIdentity({ authority, crls: [crl(authority, [], 1)] });
    await using server = await startServer(identity.source, { kind });
    const open = (credentials: tls.ConnectionOptions): tls.TLSSocket =>
      tls
        .connect({
          port: server.port,
          host: "127.0.0.1",
          rejectUnauthorized: false,
          ...credentials,
          ...(kind === "http2" && { ALPNProtocols: ["h2"] }),
        })
        .on("error", () => {})
        .resume();
    const [revoked, good] = [issue(authority), issue(authority)];
    const victim = open(revoked);
    const bystander = open(good);
    const closed = closeOf(victim);
    await until(() => server.rotation.stats().connections === 2);
    identity.rotate({ crls: [crl(authority, [revoked.certificate], 2)] });
    await within(5_000, "not closed", closed);
    expect(server.rejections).toMatchObject([
      { code: "revoked", phase: "established", peer: { serialNumber: revoked.certificate.serialNumber } },
    ]);
    expect(bystander.destroyed).toBe(false);
    bystander.destroy();
  },
);

test("removed trust ends live connections of that authority at once, and no others", async () => {
  const authority = createAuthority();
  const old = createAuthority("old");
  const both = [authority.certificate, old.certificate];
  const identity = createIdentity({ authority, trust: both });
  await using server = await startServer(identity.source, { kind: "tls" });
  const open = (credentials: tls.ConnectionOptions): tls.TLSSocket =>
    tls.connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false, ...credentials }).resume();
  const victims = Array.from({ length: 300 }, () => old).map((issuer, index) =>
    index === 0 ? issue(issuer) : undefined,
  );
  const credentials = victims[0] ?? issue(old);
  const sockets = victims.map(() => open(credentials).on("error", () => {}));
  const bystander = open(issue(authority));
  await until(() => server.rotation.stats().connections === sockets.length + 1);
  const closed = Promise.all(sockets.map((socket) => closeOf(socket)));
  identity.rotate({ trust: [authority.certificate] });
  await within(5_000, "not closed", closed);
  expect(server.rotation.stats().rejections).toEqual({ trust_removed: sockets.length });
  expect(bystander.destroyed).toBe(false);
  bystander.destroy();
});

test("a peer is known wherever its connection shows up", async () => {
  const seen: (string | undefined)[] = [];
  const identity = createIdentity();
  await using server = await startServer(identity.source, {
    kind: "http2",
    serverOptions: { allowHTTP1: true },
    handler: (request: IncomingMessage, response: ServerResponse) => {
      seen.push(peerOf(request.socket)?.dnsNames[0]);
      response.end();
    },
  } as never);
  server.server.on("session", (session: http2.ServerHttp2Session) => {
    seen.push(peerOf(session.socket)?.dnsNames[0]);
  });
  server.server.on("secureConnection", (socket: tls.TLSSocket) => {
    seen.push(peerOf(socket)?.dnsNames[0], String(socket.authorized));
  });
  const client = issue(identity.authority);
  await get(server.port, client);
  const session = http2.connect(server.url, { ...client, rejectUnauthorized: false });
  await closeOf(session.request({ ":path": "/" }).resume());
  session.close();
  expect(seen).toEqual(["frontend", "true", "frontend", "frontend", "frontend", "true", "frontend"]);
  expect(peerOf(undefined)).toBeUndefined();
  expect(peerOf(new tls.TLSSocket(undefined as never))).toBeUndefined();
});

test("a connection from before the rotation was attached is refused at its next request", async () => {
  const { rotateServer } = await import("../src/server-consumer.ts");
  const { serverOptions } = await import("../src/server-options.ts");
  const identity = createIdentity();
  const { handled, handler } = counting();
  const server = https.createServer(serverOptions(identity.source), handler);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const client = issue(identity.authority);
  expect((await get(port, { ...client, agent })).body).toBe("ok");
  const rejections: string[] = [];
  const rotation = rotateServer(server, identity.source, {
    authorize: () => true,
    onRejection: ({ code }) => void rejections.push(code),
  });
  await expect(get(port, { ...client, agent })).rejects.toThrow();
  expect(rejections).toEqual(["not_admitted"]);
  expect(handled()).toBe(1);
  agent.destroy();
  server.close();
  await rotation[Symbol.asyncDispose]();
});
