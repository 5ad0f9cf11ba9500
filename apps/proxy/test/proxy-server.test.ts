import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { Agent, request } from "node:https";
import { connect as connectPlain, createServer as createNetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { allow } from "@newleaf/rotation";
import { expect, test } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { clientNames, serverNames, startMtlsProxy, tlsOf } from "./mtls-proxy.ts";
import { listening, readAll, startTarget } from "./plain-proxy.ts";

const echoHeaders = (
  incoming: import("node:http").IncomingMessage,
  response: import("node:http").ServerResponse,
) => response.end(JSON.stringify(incoming.rawHeaders));

async function received(response: import("node:http").IncomingMessage): Promise<[string, string][]> {
  const raw = JSON.parse(await text(response)) as string[];
  return raw.flatMap((name, index) =>
    index % 2 ? [] : [[name.toLowerCase(), raw[index + 1] ?? ""] as [string, string]],
  );
}

test("the verified client is in X-Forwarded-Client-Cert, and whatever the client says there is not", async () => {
  await using target = await startTarget(echoHeaders);
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`);
  const headers = await received(
    await mtls.get({
      headers: {
        "X-Forwarded-Client-Cert": "URI=spiffe://shop/admin",
        x_forwarded_client_cert: "URI=spiffe://shop/admin",
        Connection: "X-Forwarded-Client-Cert, X-Forwarded-For",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http",
      },
    }),
  );
  const values = (name: string) => headers.filter(([key]) => key === name).map(([, value]) => value);
  const { sha256 } = mtls.client.certificate;
  expect(values("x-forwarded-client-cert")).toEqual([
    `By=spiffe://shop/backend;Hash=${sha256};Subject="CN=frontend.shop.svc";URI=spiffe://shop/frontend;DNS=frontend.shop.svc`,
  ]);
  expect(values("x_forwarded_client_cert")).toEqual([]);
  expect(values("x-forwarded-proto")).toEqual(["https"]);
  expect(values("x-forwarded-for")).toEqual(["127.0.0.1"]);
});

test("X-Forwarded-For grows by the client's address", async () => {
  await using target = await startTarget(echoHeaders);
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`);
  const headers = await received(await mtls.get({ headers: { "X-Forwarded-For": "203.0.113.9" } }));
  expect(headers).toContainEqual(["x-forwarded-for", "203.0.113.9, 127.0.0.1"]);
});

test("HTTP/2 in by ALPN, with the same headers", async () => {
  await using target = await startTarget(echoHeaders);
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`);
  const session = connectHttp2(`https://localhost:${mtls.port}`, tlsOf(mtls.client));
  const stream = session.request({ ":path": "/", "x-forwarded-client-cert": "URI=spiffe://shop/admin" });
  const raw = JSON.parse(await text(stream)) as string[];
  expect(raw.filter((value) => value.startsWith("By="))).toHaveLength(1);
  expect(raw.join()).not.toContain("admin");
  expect(raw).toContain(`localhost:${mtls.port}`);
  session.close();
  await once(session, "close");
});

test("a WebSocket goes through, both ways, text and binary, and closes with its code", async () => {
  const http = createHttpServer();
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket, incoming) => {
    socket.send(String(incoming.headers["x-forwarded-client-cert"]));
    socket.on("message", (data, binary) => socket.send(data, { binary }));
    socket.on("close", (code) => sockets.emit("ended", code));
  });
  const port = await listening(http);
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${port}`);
  const client = new WebSocket(`wss://localhost:${mtls.port}/chat`, tlsOf(mtls.client));
  const [greeting] = (await once(client, "message")) as [Buffer];
  expect(greeting.toString()).toContain("URI=spiffe://shop/frontend");
  const large = Buffer.alloc(5_000_000, 7);
  client.send(large);
  const [echoed] = (await once(client, "message")) as [Buffer];
  expect(echoed.equals(large)).toBe(true);
  const ended = once(sockets, "ended");
  client.close(4001);
  expect(await ended).toEqual([4001]);
  http.close();
  sockets.close();
});

test("an upgrade that the target refuses, does not answer, or must not see, is answered as HTTP", async () => {
  await using target = await startTarget((_incoming, response) => void response.end());
  target.server.on("upgrade", (incoming, socket) => {
    socket.resume().once("end", () => socket.destroy());
    if (incoming.url !== "/silent") socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  });
  const timeouts = { connectMs: 1_000, responseMs: 200, idleMs: 5_000, tunnelMs: 300 };
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`, { limits: { timeouts } });
  const upgrade = async (path: string, headers: Record<string, string> = {}) => {
    const response = await mtls.get({
      path,
      headers: { Connection: "Upgrade", Upgrade: "websocket", ...headers },
    });
    return [response.statusCode, await text(response)];
  };
  expect(await upgrade("/no")).toEqual([403, "no"]);
  expect(await upgrade("/silent")).toEqual([504, "504 target: no answer in time\n"]);
  expect((await upgrade("/", { Upgrade: "h2c" }))[0]).toBe(400);
});

test("bytes: tcp target, half-close each way, and a unix socket", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-unix-"));
  const echo = () =>
    createNetServer({ allowHalfOpen: true }, async (socket) => {
      const all = await readAll(socket);
      socket.end(`got ${all.length}`);
    });
  const [tcp, unix] = [echo(), echo()];
  const path = join(directory, "s");
  await new Promise<void>((resolve) => unix.listen(path, resolve));
  const port = await listening(tcp);
  for (const target of [`tcp://127.0.0.1:${port}`, `unix:${path}`]) {
    await using mtls = await startMtlsProxy(target);
    const options = { host: "localhost", port: mtls.port, ...tlsOf(mtls.client), allowHalfOpen: true };
    const socket = connectTls(options);
    await once(socket, "secureConnect");
    socket.end(Buffer.alloc(3_000_000, "x"));
    expect(await readAll(socket)).toBe("got 3000000");
  }
  tcp.close();
  unix.close();
  await rm(directory, { recursive: true });
});

test("an upgraded connection or bytes with nothing to say end after the tunnel timeout", async () => {
  const silent = createNetServer((socket) => void socket.resume());
  const timeouts = { connectMs: 1_000, responseMs: 1_000, idleMs: 5_000, tunnelMs: 100 };
  await using mtls = await startMtlsProxy(`tcp://127.0.0.1:${await listening(silent)}`, {
    limits: { timeouts },
  });
  const socket = connectTls({ host: "localhost", port: mtls.port, ...tlsOf(mtls.client) });
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("close", resolve));
  silent.close();
});

test("bytes to a target that is down: the connection ends, with a reason counted", async () => {
  const failures: string[] = [];
  const warnings: object[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => void warnings.push(fields) };
  await using mtls = await startMtlsProxy("tcp://127.0.0.1:1", { logger });
  const socket = connectTls({ host: "localhost", port: mtls.port, ...tlsOf(mtls.client) });
  socket.on("error", (error: NodeJS.ErrnoException) => failures.push(error.code ?? ""));
  await once(socket, "close");
  expect(warnings).toContainEqual(expect.objectContaining({ reason: "connection refused" }));
});

test("builtin:hello greets the peer by its identity, as text or JSON", async () => {
  await using mtls = await startMtlsProxy("builtin:hello");
  expect(await text(await mtls.get())).toBe("hello spiffe://shop/frontend\n");
  const json = JSON.parse(await text(await mtls.get({ headers: { Accept: "application/json" } })));
  expect(json).toMatchObject({
    message: "hello",
    peer: {
      identity: "spiffe://shop/frontend",
      serialNumber: mtls.client.certificate.serialNumber,
      resumed: false,
    },
    served: { identity: "spiffe://shop/backend", generation: 1 },
  });
});

test("a client that is not allowed, or has no certificate, never reaches the target", async () => {
  let requests = 0;
  await using target = await startTarget((_incoming, response) => {
    requests += 1;
    response.end();
  });
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`, {
    authorize: allow.spiffeId("spiffe://shop/frontend"),
  });
  await expect(mtls.get({}, mtls.authority.issue({ uris: ["spiffe://shop/other"] }))).rejects.toThrow();
  await expect(mtls.get({ cert: undefined, key: undefined })).rejects.toMatchObject({
    code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
  });
  await expect(mtls.get({}, mtls.authority.issue({ ...clientNames, defect: "expired" }))).rejects.toThrow();
  expect(mtls.rejections.map(({ code }) => code)).toEqual(["not_allowed", "no_certificate", "expired"]);
  expect(requests).toBe(0);
});

test("more connections than allowed are closed at once; header fields beyond the limit are 431", async () => {
  await using mtls = await startMtlsProxy("builtin:hello", {
    limits: { maxConnections: 2, maxHeaderSize: 2_048 },
  });
  const large = await mtls.get({ headers: { "X-Large": "x".repeat(4_096) } });
  expect(large.statusCode).toBe(431);
  large.resume();
  await expect.poll(() => mtls.proxy.connections).toBe(0);
  const held: Socket[] = [connectPlain(mtls.port, "127.0.0.1"), connectPlain(mtls.port, "127.0.0.1")];
  await expect.poll(() => mtls.proxy.connections).toBe(2);
  await expect(mtls.get()).rejects.toThrow();
  for (const socket of held) socket.destroy();
});

test("over HTTP/2, too, header fields beyond the limits are 431, on the first stream and on later ones", async () => {
  await using target = await startTarget(echoHeaders);
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`);
  const session = connectHttp2(`https://localhost:${mtls.port}`, tlsOf(mtls.client));
  const statusWith = async (fields: Record<string, string>) => {
    const stream = session.request({ ":path": "/", ...fields });
    const [headers] = await once(stream, "response");
    stream.resume();
    return headers[":status"];
  };
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, "v"]));
  expect(await statusWith({ "x-large": "x".repeat(20_000) })).toBe(431);
  expect(await statusWith({ "x-large": "x".repeat(15_000) })).toBe(200);
  expect(await statusWith({ "x-large": "x".repeat(60_000) })).toBe(431);
  expect(await statusWith(many(200))).toBe(200);
  expect(await statusWith(many(300))).toBe(431);
  session.close();
  await once(session, "close");
});

test("small chunked responses do not wait for delayed acknowledgements (40 ms)", async () => {
  await using target = await startTarget((_incoming, response) => {
    response.write("a");
    response.end("b");
  });
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`);
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...tlsOf(mtls.client) });
  const median = async (): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < 9; round++) {
      const started = performance.now();
      await text(await mtls.get({ agent }));
      times.push(performance.now() - started);
    }
    return times.sort((a, b) => a - b)[4] ?? 0;
  };
  await expect.poll(median, { timeout: 20_000 }).toBeLessThan(35);
  agent.destroy();
});

test("stopping lets what is under way finish, says goodbye, and cuts at the deadline", async () => {
  const waiting: import("node:http").ServerResponse[] = [];
  await using target = await startTarget((_incoming, response) => {
    response.write("first ");
    waiting.push(response);
  });
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`);
  const agent = new Agent({ keepAlive: true, ...tlsOf(mtls.client) });
  const outgoing = request({ host: "localhost", port: mtls.port, agent });
  outgoing.end();
  const [response] = await once(outgoing, "response");
  const session = connectHttp2(`https://localhost:${mtls.port}`, tlsOf(mtls.client));
  const stream = session.request({ ":path": "/" });
  await once(stream, "response");
  const goaway = once(session, "goaway");
  const stopped = mtls.proxy.stop(AbortSignal.timeout(10_000));
  await goaway;
  for (const each of waiting) each.end("second");
  expect(await Promise.all([text(response), text(stream)])).toEqual(["first second", "first second"]);
  await stopped;
  expect(mtls.proxy.connections).toBe(0);
  await expect(mtls.get()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  agent.destroy();
});

test("rotation under load: not one request fails, and every connection moves to the new certificate", async () => {
  await using target = await startTarget((_incoming, response) => response.end("x".repeat(1_000)));
  await using mtls = await startMtlsProxy(`http://127.0.0.1:${target.port}`);
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ...tlsOf(mtls.client) });
  const statuses: (number | string)[] = [];
  const serials = new Set<string>();
  let rotating = true;
  const worker = async (): Promise<void> => {
    while (rotating) {
      const response = await mtls.get({ agent }).catch((error: Error) => error);
      if (response instanceof Error) {
        statuses.push(response.message);
        continue;
      }
      const socket = response.socket as import("node:tls").TLSSocket;
      serials.add(socket.getPeerX509Certificate()?.serialNumber ?? "");
      statuses.push((await text(response)).length === 1_000 ? (response.statusCode ?? 0) : "short");
    }
  };
  const workers = Array.from({ length: 8 }, worker);
  for (let round = 0; round < 10; round++) {
    await mtls.volume.write(mtls.authority.issue(serverNames).files());
    const number = round + 2;
    await mtls.proxy.rotation.whenServed(number, AbortSignal.timeout(10_000));
    await expect.poll(() => serials.size, { timeout: 10_000 }).toBeGreaterThan(round);
  }
  rotating = false;
  await Promise.all(workers);
  agent.destroy();
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(statuses.length).toBeGreaterThan(50);
});
