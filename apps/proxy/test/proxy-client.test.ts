import { once } from "node:events";
import { stat } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, request } from "node:http";
import { connect, createServer as createNetServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { allow } from "@newleaf/rotation";
import { expect, test } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { clientNames, startClientSide, startMtlsProxy } from "./mtls-proxy.ts";
import { listening, readAll, startTarget } from "./plain-proxy.ts";

const get = (options: object): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request({ agent: false, ...options }, resolve)
      .on("error", reject)
      .end();
  });

test("plain in, mTLS out: the server sees our certificate, and the Host of the target", async () => {
  await using target = await startTarget((incoming, response) =>
    response.end(`${incoming.headers.host} ${incoming.headers["x-forwarded-client-cert"]}`),
  );
  await using server = await startMtlsProxy(`http://127.0.0.1:${target.port}`);
  await using client = await startClientSide(server);
  const body = await text(await get({ port: client.port, path: "/x" }));
  expect(body).toContain(`localhost:${server.port} By=spiffe://shop/backend`);
  expect(body).toContain("URI=spiffe://shop/frontend");
  await using kept = await startClientSide(server, { preserveHost: true });
  expect(await text(await get({ port: kept.port, headers: { Host: "shop.example" } }))).toMatch(
    /^shop\.example /,
  );
});

test("a WebSocket goes out through both proxies, and survives a rotation of both sides", async () => {
  const http = createHttpServer();
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  await using server = await startMtlsProxy(`http://127.0.0.1:${await listening(http)}`);
  await using client = await startClientSide(server);
  const socket = new WebSocket(`ws://127.0.0.1:${client.port}/`);
  await once(socket, "open");
  await client.volume.write(server.authority.issue(clientNames).files());
  await client.proxy.rotation.whenServed(2, AbortSignal.timeout(10_000));
  await server.volume.write(
    server.authority
      .issue({ dnsNames: ["backend.shop.svc", "localhost"], uris: ["spiffe://shop/backend"] })
      .files(),
  );
  await server.proxy.rotation.whenServed(2, AbortSignal.timeout(10_000));
  socket.send("still here");
  expect(String((await once(socket, "message"))[0])).toBe("still here");
  socket.close();
  await once(socket, "close");
  http.close();
  sockets.close();
});

test("a client certificate that is refused is a 502 that says so", async () => {
  await using server = await startMtlsProxy("builtin:hello", { authorize: allow.dns("somebody-else") });
  const warnings: object[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => void warnings.push(fields) };
  await using client = await startClientSide(server, { logger });
  const response = await get({ port: client.port });
  expect([response.statusCode, await text(response)]).toEqual([
    502,
    "502 target: our certificate was refused\n",
  ]);
  expect(JSON.stringify(warnings)).toContain("refused our certificate");
});

test("the server must be who it should be, by host, by name asked for, or by URI", async () => {
  await using server = await startMtlsProxy("builtin:hello");
  const status = async (options: Parameters<typeof startClientSide>[1]) => {
    await using client = await startClientSide(server, options);
    const response = await get({ port: client.port });
    return [response.statusCode, await text(response)];
  };
  const good = [200, "hello spiffe://shop/frontend\n"];
  const bad = [502, "502 target: server is not trusted\n"];
  expect(await status({})).toEqual(good);
  expect(await status({ serverName: "backend.shop.svc" })).toEqual(good);
  expect(await status({ serverName: "other.shop.svc" })).toEqual(bad);
  expect(await status({ authorizeServer: allow.uri("spiffe://shop/backend") })).toEqual(good);
  expect(await status({ authorizeServer: allow.uri("spiffe://shop/other") })).toEqual(bad);
});

test("bytes over tls://, with half-close each way; one that is refused ends", async () => {
  const tcp = createNetServer({ allowHalfOpen: true }, async (socket) => {
    const all = await readAll(socket);
    socket.end(`got ${all.length}`);
  });
  await using server = await startMtlsProxy(`tcp://127.0.0.1:${await listening(tcp)}`);
  await using client = await startClientSide(server, { scheme: "tls" });
  const socket = connect({ port: client.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end(Buffer.alloc(3_000_000, "x"));
  expect(await readAll(socket)).toBe("got 3000000");
  await using stranger = await startClientSide(server, {
    scheme: "tls",
    authorizeServer: allow.uri("spiffe://shop/other"),
  });
  const refused = connect({ port: stranger.port, host: "127.0.0.1" });
  refused.write("x");
  await expect(once(refused, "close")).rejects.toMatchObject({ code: "ECONNRESET" });
  tcp.close();
});

test("plain text comes from this machine only: loopback, or a unix socket of our own", async () => {
  await using server = await startMtlsProxy("builtin:hello");
  await expect(startClientSide(server, { listen: { host: "0.0.0.0", port: 0 } })).rejects.toMatchObject({
    code: "ERR_DAEMON_USAGE",
    hint: expect.stringContaining("--insecure-plaintext-listen"),
  });
  const path = join(server.volume.directory, "..", "s");
  {
    await using client = await startClientSide(server, { listen: { path } });
    expect(client.proxy.address).toEqual({ path });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await get({ socketPath: path })).statusCode).toBe(200);
    await expect(startClientSide(server, { listen: { path } })).rejects.toMatchObject({
      code: "ERR_DAEMON_LISTEN",
    });
  }
  await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
});

test("rotation of the client's certificate under load: not one request fails", async () => {
  await using server = await startMtlsProxy("builtin:hello");
  await using client = await startClientSide(server);
  const results: (number | string | undefined)[] = [];
  const seen = new Set<string>();
  let rotating = true;
  const worker = async (): Promise<void> => {
    while (rotating) {
      const headers = { Accept: "application/json" };
      const response = await get({ port: client.port, headers }).catch((error: Error) => error);
      if (response instanceof Error) results.push(response.message);
      else {
        results.push(response.statusCode);
        seen.add((JSON.parse(await text(response)) as { peer: { serialNumber: string } }).peer.serialNumber);
      }
    }
  };
  const workers = Array.from({ length: 8 }, worker);
  for (let round = 1; round <= 15; round++) {
    await client.volume.write(server.authority.issue(clientNames).files());
    await client.proxy.rotation.whenComplete(round + 1, AbortSignal.timeout(10_000));
    await expect.poll(() => seen.size).toBeGreaterThan(round);
  }
  rotating = false;
  await Promise.all(workers);
  expect(new Set(results)).toEqual(new Set([200]));
});
