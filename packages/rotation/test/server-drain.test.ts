import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { createManualClock } from "@newleaf/testing";
import { expect, test } from "vitest";
import type { DrainReport } from "../src/consumer.ts";
import { startHoldingRelay } from "./held-connection.ts";
import {
  type Credentials,
  closeOf,
  createAuthority,
  createIdentity,
  get,
  issue,
  startServer,
  type TestServer,
  within,
} from "./server-fixture.ts";
import { until } from "./waiting.ts";

const ok = (_: IncomingMessage, response: ServerResponse): void => void response.end("ok");

async function drained(server: TestServer, generation: number): Promise<DrainReport | undefined> {
  const record = await within(5_000, "not drained", server.rotation.whenComplete(generation));
  return record.consumers[0]?.drained;
}

test("a kept-alive connection survives the rotation, and is asked to go with its next response", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { handler: ok });
  const client = issue(identity.authority);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const before = await get(server.port, { ...client, agent });
  const generation = identity.rotate();
  await server.rotation.whenServed(generation.number);
  expect(server.rotation.stats().byGeneration).toEqual({ 1: 1 });

  const last = await get(server.port, { ...client, agent });
  expect(last.headers.connection).toBe("close");
  const after = await get(server.port, { ...client, agent });
  expect(after.headers.connection).toBe("keep-alive");
  expect(last.serverSerial).toBe(before.serverSerial);
  expect(after.serverSerial?.toLowerCase()).toBe(generation.leaf.serialNumber);
  expect(await drained(server, generation.number)).toEqual({ connections: 1, closed: 1, cut: 0 });
  agent.destroy();
});

test("a response whose headers are still to be written asks at once", async () => {
  const identity = createIdentity();
  let answer: () => void = () => {};
  await using server = await startServer(identity.source, {
    handler: (_: IncomingMessage, response: ServerResponse) => {
      answer = () => void response.end("late");
    },
  });
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const asking = get(server.port, { ...issue(identity.authority), agent });
  await once(server.server, "request");
  const generation = identity.rotate();
  await server.rotation.whenServed(generation.number);
  await until(() => server.rotation.status().draining === 1);
  answer();
  expect(await asking).toMatchObject({ body: "late", headers: { connection: "close" } });
  expect(await drained(server, generation.number)).toEqual({ connections: 1, closed: 1, cut: 0 });
  agent.destroy();
});

test("HTTP/2 sessions are told to go and finish their streams", async () => {
  const identity = createIdentity();
  const streams: http2.ServerHttp2Stream[] = [];
  await using server = await startServer(identity.source, { kind: "http2" });
  server.server.on("stream", (stream: http2.ServerHttp2Stream) => {
    stream.respond({ ":status": 200 });
    stream.write("begun ");
    streams.push(stream);
  });
  const session = http2.connect(server.url, { ...issue(identity.authority), rejectUnauthorized: false });
  const stream = session.request({ ":path": "/" }).setEncoding("utf8");
  let body = "";
  stream.on("data", (text) => {
    body += text;
  });
  await once(stream, "response");
  const goaway = once(session, "goaway");
  const generation = identity.rotate();
  await within(5_000, "no GOAWAY", goaway);
  await until(() => session.closed);
  streams[0]?.end("and ended");
  await closeOf(stream);
  expect([body, stream.rstCode]).toEqual(["begun and ended", 0]);
  expect(await drained(server, generation.number)).toEqual({ connections: 1, closed: 1, cut: 0 });
});

/** Opens an upgraded connection that echoes. */
async function upgrade(server: TestServer, credentials: Credentials): Promise<Duplex> {
  const request = https.get(server.url, {
    ...credentials,
    rejectUnauthorized: false,
    agent: false,
    headers: { connection: "upgrade", upgrade: "echo" },
  });
  const [, socket] = (await once(request, "upgrade")) as [IncomingMessage, Duplex];
  return socket.on("error", () => {});
}

const echo = (_: IncomingMessage, socket: Duplex): void => {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
  socket.on("error", () => {}).pipe(socket);
};

test("streams, upgraded and raw connections stay until the old certificate expires, and only then are cut", async () => {
  const clock = createManualClock(Date.now());
  const authority = createAuthority();
  const identity = createIdentity({ authority, clock });
  const notAfter = identity.source.current().notAfter.getTime();
  await using server = await startServer(identity.source, {
    clock,
    handler: (_: IncomingMessage, response: ServerResponse) => void response.write("begun"),
    configure: (each) => each.on("upgrade", echo),
  });
  await server.rotation.whenServed(1);
  const client = issue(authority, { notAfter: new Date(notAfter + 3_600_000) });
  const websocket = await upgrade(server, client);
  const request = https.get(server.url, { ...client, rejectUnauthorized: false, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume().on("error", () => {});

  await clock.advance(60_000);
  const generation = identity.rotate();
  await server.rotation.whenServed(generation.number);
  await clock.advance(notAfter - clock.now() - 1_000);
  websocket.write("still here");
  expect(String((await once(websocket, "data"))[0])).toBe("still here");
  expect(response.destroyed).toBe(false);

  const ends = Promise.all([closeOf(websocket), closeOf(response)]);
  await clock.advance(2_000);
  await within(5_000, "not cut", ends);
  expect(await drained(server, generation.number)).toEqual({ connections: 2, closed: 0, cut: 2 });
  expect(server.rejections).toEqual([]);
});

test("a drain timeout cuts earlier", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, {
    handler: ok,
    drainTimeoutMs: 200,
    configure: (each) => each.on("upgrade", echo),
  });
  const client = issue(identity.authority);
  const websocket = await upgrade(server, client);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  await get(server.port, { ...client, agent });
  const cut = closeOf(websocket);
  const generation = identity.rotate();
  await within(5_000, "not cut", cut);
  // The idle one was closed, not cut.
  expect(await drained(server, generation.number)).toEqual({ connections: 2, closed: 1, cut: 1 });
  agent.destroy();
});

test("overlapping rotations: each counts what was older, the oldest certificate's time rules", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { kind: "tls" });
  const client = issue(identity.authority);
  const open = async (): Promise<tls.TLSSocket> => {
    const socket = tls.connect({
      port: server.port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      ...client,
    });
    await once(server.server, "secureConnection");
    return socket.resume();
  };
  const first = await open();
  const second = identity.rotate();
  await server.rotation.whenServed(second.number);
  const middle = await open();
  const third = identity.rotate();
  await server.rotation.whenServed(third.number);
  const last = await open();
  expect(server.rotation.stats().byGeneration).toEqual({ 1: 1, 2: 1, 3: 1 });
  first.end();
  expect(await drained(server, second.number)).toEqual({ connections: 1, closed: 1, cut: 0 });
  middle.end();
  expect(await drained(server, third.number)).toEqual({ connections: 2, closed: 2, cut: 0 });
  last.destroy();
});

test("a handshake begun before the swap and finished after it is drained as well", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { handler: ok });
  await using relay = await startHoldingRelay(server.port, 1);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const client = issue(identity.authority);
  const asking = get(relay.port, { ...client, agent });
  await relay.held;
  const old = identity.source.current();
  const generation = identity.rotate();
  await server.rotation.whenServed(generation.number);
  relay.release();
  const answer = await asking;
  expect(answer.serverSerial?.toLowerCase()).toBe(old.leaf.serialNumber);
  while ((await get(relay.port, { ...client, agent })).headers.connection !== "close");
  expect(await drained(server, generation.number)).toEqual({ connections: 1, closed: 1, cut: 0 });
  expect(server.rejections).toEqual([]);
  agent.destroy();
});

test("a connection opened before the swap whose ClientHello comes after it gets the new certificate and the new trust", async () => {
  const authority = createAuthority();
  const old = createAuthority("old");
  const identity = createIdentity({ authority, trust: [authority.certificate, old.certificate] });
  await using server = await startServer(identity.source, { handler: ok });
  const openAndWait = async (credentials: Credentials) => {
    const raw = net.connect(server.port, "127.0.0.1");
    await once(raw, "connect");
    return () => {
      const socket = tls
        .connect({ socket: raw, rejectUnauthorized: false, ...credentials })
        .on("error", () => {});
      return { socket, secured: once(socket, "secureConnect"), closed: closeOf(socket) };
    };
  };
  const removed = await openAndWait(issue(old));
  const kept = await openAndWait(issue(authority));
  const generation = identity.rotate({ trust: [authority.certificate] });
  await server.rotation.whenServed(generation.number);

  const stays = kept();
  await stays.secured;
  expect(stays.socket.getPeerCertificate().serialNumber.toLowerCase()).toBe(generation.leaf.serialNumber);
  const goes = removed();
  await within(5_000, "not closed", goes.closed);
  expect(server.rejections).toMatchObject([{ code: "unknown_authority", phase: "handshake" }]);
  stays.socket.destroy();
});

test("a handshake that spans the swap is judged by the new trust", async () => {
  const authority = createAuthority();
  const old = createAuthority("old");
  const identity = createIdentity({ authority, trust: [authority.certificate, old.certificate] });
  await using server = await startServer(identity.source, { handler: ok });
  await using relay = await startHoldingRelay(server.port, 1);
  const asking = get(relay.port, issue(old));
  asking.catch(() => {});
  await relay.held;
  const generation = identity.rotate({ trust: [authority.certificate] });
  await server.rotation.whenServed(generation.number);
  relay.release();
  await expect(asking).rejects.toThrow();
  expect(server.rejections).toMatchObject([
    { code: "unknown_authority", phase: "handshake", resumed: false },
  ]);
});
