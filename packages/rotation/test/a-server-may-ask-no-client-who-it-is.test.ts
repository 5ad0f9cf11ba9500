import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import tls from "node:tls";
import { expect, test } from "vitest";
import { connectRotatingHttp2 } from "../src/http2-client.ts";
import { rotateServer } from "../src/server-consumer.ts";
import { serverOptions } from "../src/server-options.ts";
import { peerOf } from "../src/verified-peer.ts";
import { closeOf, createIdentity, get, issue, startServer, within } from "./server-fixture.ts";

const clientCertificates = "none";
const whoIsThere = (request: IncomingMessage, response: ServerResponse): void => {
  const { authorized } = request.socket as tls.TLSSocket;
  response.end(`${peerOf(request.socket)?.dnsNames} ${authorized}`);
};

test("everyone comes in, with a certificate or without, and nobody is known", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { clientCertificates, handler: whoIsThere });
  const trusting = { ca: identity.source.current().trust.certificates.map(pem), rejectUnauthorized: true };
  expect((await get(server.port, trusting)).body).toBe("undefined false");
  expect((await get(server.port, { ...trusting, ...issue(identity.authority) })).body).toBe(
    "undefined false",
  );
  expect(server.rejections).toEqual([]);
  expect(server.rotation.stats().handshakes).toEqual({ full: 2, resumed: 0 });
  expect((await server.rotation.whenServed(1)).outcome).not.toBe("stalled");
});

test("HTTP/2 and bare TLS as well", async () => {
  const identity = createIdentity();
  await using h2 = await startServer(identity.source, {
    clientCertificates,
    kind: "http2",
    handler: whoIsThere as never,
  });
  await using client = connectRotatingHttp2(identity.source, h2.url, { anonymous: true });
  const { body } = await client.request({ ":path": "/" });
  expect(String(Buffer.concat(await body.toArray()))).toBe("undefined false");

  await using bare = await startServer(identity.source, {
    clientCertificates,
    kind: "tls",
    handler: ((socket: tls.TLSSocket) => socket.end(`${peerOf(socket)}`)) as never,
  });
  const socket = tls.connect({ port: bare.port, host: "127.0.0.1", rejectUnauthorized: false });
  expect(String((await once(socket, "data"))[0])).toBe("undefined");
  socket.destroy();
});

test("a rotation drains what is open, and serves the next leaf", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { clientCertificates, handler: whoIsThere });
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const first = (await get(server.port, { agent })).serverSerial;
  const streaming = await holdOpen(server.port);
  const next = identity.rotate();
  await expect
    .poll(async () => (await get(server.port, { agent })).headers.connection, { interval: 1 })
    .toBe("close");
  expect((await get(server.port, { agent })).serverSerial).not.toBe(first);
  streaming.destroy();
  const record = await server.rotation.whenComplete(next.number, AbortSignal.timeout(5_000));
  expect(record.consumers[0]?.drained).toMatchObject({ connections: 2 });
  agent.destroy();
});

test("what does not go is cut at the deadline of the drain", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, {
    clientCertificates,
    handler: (_: IncomingMessage, response: ServerResponse) => void response.write("begun"),
    drainTimeoutMs: 50,
  });
  const held = await holdOpen(server.port);
  const closed = closeOf(held);
  identity.rotate();
  await within(5_000, "not cut", closed);
  expect(server.rejections).toEqual([]);
});

test("a withdrawn identity ends open connections and lets nobody in, until there is another", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { clientCertificates, handler: whoIsThere });
  const held = await holdOpen(server.port);
  const closed = closeOf(held);
  identity.withdraw("the entry is gone");
  await within(5_000, "not ended", closed);
  expect(await server.rejected("identity_withdrawn")).toMatchObject({
    phase: "established",
    message: "our own identity was withdrawn: the entry is gone",
  });
  await expect(get(server.port)).rejects.toThrow();
  expect(server.rejections.at(-1)).toMatchObject({ code: "identity_withdrawn", phase: "handshake" });
  identity.rotate();
  expect((await get(server.port)).status).toBe(200);
});

test("a ticket lets its owner back in, but not to a server that demands a certificate", async () => {
  const identity = createIdentity();
  const hello = ((socket: tls.TLSSocket): void => {
    socket.end(`${peerOf(socket)?.dnsNames} ${socket.isSessionReused()}`);
  }) as never;
  await using open = await startServer(identity.source, { clientCertificates, kind: "tls", handler: hello });
  await using mutual = await startServer(identity.source, { kind: "tls", handler: hello });
  const first = await visit(open.port);
  expect(first.said).toBe("undefined false");
  const { session } = first;
  expect((await visit(open.port, { session })).said).toBe("undefined true");
  expect(open.rotation.stats().handshakes).toEqual({ full: 1, resumed: 1 });
  expect((await visit(mutual.port, { session, ...issue(identity.authority) })).said).toBe("frontend false");
  expect((await visit(mutual.port, { session })).said).toBe("");

  const next = identity.rotate();
  await open.rotation.whenServed(next.number);
  expect((await visit(open.port, { session })).said).toBe("undefined false");
});

test("an authorizer without client certificates is an error, for the types as well", () => {
  const identity = createIdentity();
  const server = https.createServer(serverOptions(identity.source));
  const options = { clientCertificates, authorize: () => true } as const;
  // @ts-expect-error
  expect(() => rotateServer(server, identity.source, options)).toThrow(
    expect.objectContaining({ code: "ERR_ROTATION_OPTIONS" }),
  );
});

test("Node's own server with the same options asks nobody either", async () => {
  const { source } = createIdentity();
  const server = https.createServer(serverOptions(source, { clientCertificates }), whoIsThere);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  expect((await get(port)).body).toBe("undefined false");
  server.close();
});

test("who speaks plain HTTP is not told to bring a certificate", async () => {
  const { source } = createIdentity();
  await using server = await startServer(source, { clientCertificates, handler: whoIsThere });
  const socket = net.connect(server.port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\n\r\n");
  expect(String((await once(socket, "data"))[0])).toMatch(/connect with TLS\.\n$/);
  socket.destroy();
});

function pem({ der }: { readonly der: Uint8Array }): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`;
}

/** A connection that has had the beginning of an answer. */
async function holdOpen(port: number): Promise<tls.TLSSocket> {
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(socket, "data");
  return socket.resume();
}

async function visit(
  port: number,
  options: tls.ConnectionOptions = {},
): Promise<{ said: string; session: Buffer | undefined }> {
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  let said = "";
  let session: Buffer | undefined;
  socket.on("session", (ticket) => {
    session = ticket;
  });
  socket.on("error", () => {});
  socket.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  await within(5_000, "not closed", closeOf(socket));
  return { said, session };
}
