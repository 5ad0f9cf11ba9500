import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { expect, test } from "vitest";
import { closeOf, createIdentity, failure, get, issue, startServer, within } from "./server-fixture.ts";

const ok = (_: IncomingMessage, response: ServerResponse): void => void response.end("ok");

test.each([{ allowHalfOpen: true }, { pauseOnConnect: true }, { noDelay: false, keepAlive: true }])(
  "works with the option %o",
  async (serverOptions) => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, { handler: ok, serverOptions });
    server.server.on("secureConnection", (socket: tls.TLSSocket) => void socket.resume());
    expect((await get(server.port, issue(identity.authority))).body).toBe("ok");
    const probe = net.connect(server.port, "127.0.0.1");
    await once(probe, "connect");
    probe.end();
    await within(2_000, "not closed", closeOf(probe));
    expect(server.rejections).toEqual([]);
  },
);

test("a ClientHello may arrive octet by octet", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { handler: ok });
  const raw = net.connect(server.port, "127.0.0.1").setNoDelay(true);
  const socket = new Duplex({
    read: () => void raw.resume(),
    write: (chunk: Buffer, _, callback) => {
      const next = (index: number): void => {
        if (index === chunk.length) callback();
        else raw.write(chunk.subarray(index, index + 1), () => setImmediate(next, index + 1));
      };
      next(0);
    },
    final: (callback) => void raw.end(callback),
  });
  raw.on("data", (chunk) => void socket.push(chunk)).on("end", () => void socket.push(null));
  const secure = tls.connect({ socket, rejectUnauthorized: false, ...issue(identity.authority) });
  await within(10_000, "no handshake", once(secure, "secureConnect"));
  secure.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expect(String((await once(secure, "data"))[0])).toMatch(/^HTTP\/1\.1 200/);
  secure.destroy();
  raw.destroy();
});

test("protocols are negotiated as the server was told: h2, HTTP/1.1 beside it, and a protocol of one's own", async () => {
  const identity = createIdentity();
  const client = issue(identity.authority);
  await using both = await startServer(identity.source, {
    kind: "http2",
    serverOptions: { allowHTTP1: true },
    handler: ((request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) =>
      response.end(request.httpVersion)) as never,
  });
  expect((await get(both.port, client)).body).toBe("1.1");
  const session = http2.connect(both.url, { ...client, rejectUnauthorized: false });
  const stream = session.request({ ":path": "/" });
  expect(String((await once(stream, "data"))[0])).toBe("2.0");
  session.close();

  for (const serverOptions of [{ ALPNProtocols: ["own"] }, { ALPNCallback: () => "own" }]) {
    await using raw = await startServer(identity.source, { kind: "tls", serverOptions });
    const connect = { port: raw.port, host: "127.0.0.1", rejectUnauthorized: false, ...client };
    const socket = tls.connect({ ...connect, ALPNProtocols: ["own", "other"] }).resume();
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe("own");
    socket.destroy();
  }
});

test("a refused handshake is announced as 'tlsClientError', and as 'clientError' by https", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { handler: ok, authorize: () => false });
  const announced: string[] = [];
  server.server.on(
    "tlsClientError",
    (error: NodeJS.ErrnoException) => void announced.push(error.code ?? error.message),
  );
  server.server.on("clientError", (_: Error, socket: tls.TLSSocket) => {
    announced.push("clientError");
    socket.destroy();
  });
  await failure(server.port);
  await failure(server.port, issue(identity.authority));
  await server.rejected("not_allowed");
  expect(announced.sort()).toEqual([
    "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
    "clientError",
    "clientError",
    "not_allowed: not allowed: frontend, CN=frontend",
  ]);
});

test("a TLS error after the handshake reaches whoever uses the socket", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { kind: "tls" });
  const connected = once(server.server, "secureConnection");
  const raw = net.connect(server.port, "127.0.0.1");
  const client = tls.connect({ socket: raw, rejectUnauthorized: false, ...issue(identity.authority) });
  client.on("error", () => {});
  const [socket] = (await connected) as [tls.TLSSocket];
  const failed = once(socket.resume(), "error").catch((error: unknown) => [error]);
  raw.write(Buffer.from([0x17, 3, 3, 0, 4, 1, 2, 3, 4]));
  const [error] = await within(5_000, "no error", failed);
  expect((error as NodeJS.ErrnoException).code).toMatch(/^ERR_SSL_/);
  expect(server.rejections).toEqual([]);
  client.destroy();
});

test("other listeners of 'connection' stay", async () => {
  const identity = createIdentity();
  let connections = 0;
  await using server = await startServer(identity.source, {
    handler: ok,
    configure: (each) => each.on("connection", () => void connections++),
  });
  await server.rotation.whenServed(1);
  const checks = connections;
  await get(server.port, issue(identity.authority));
  expect(connections - checks).toBe(1);
});
