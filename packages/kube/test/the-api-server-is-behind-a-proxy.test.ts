import { EventEmitter, once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Socket } from "node:net";
import { inspect } from "node:util";
import { createManualClock, createTestAuthority } from "@newleaf/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createKubeTransport } from "../src/index.ts";
import { configOf, get, type LoopbackServer, startLoopbackServer, text } from "./loopback-server.ts";

const authority = createTestAuthority();
const identity = authority.issue({ dnsNames: ["kube.test"] });
const client = authority.issue({ commonName: "newleaf" });
const tls = {
  ca: { pem: authority.trustPem },
  cert: { pem: client.chainPem },
  key: { pem: client.keyPem },
};

let server: LoopbackServer;
let closing: net.Server[] = [];
beforeEach(async () => {
  server = await startLoopbackServer((_, response) => response.end("ok"), {
    identity,
    clientCa: authority.trustPem,
  });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  for (const one of closing) one.close();
  closing = [];
});

it("over CONNECT, with one tunnel for requests that follow each other", async () => {
  const asked: (string | undefined)[] = [];
  const proxy = await listen(connectProxy(http.createServer(), asked));
  // The name is the proxy's to resolve.
  const config = configOf("https://kube.test:6443", { tls, proxyUrl: `http://me:pass@127.0.0.1:${proxy}` });
  await using transport = createKubeTransport(config);
  for (let n = 0; n < 3; n++) expect(await text((await transport.send(get("/x"))).body)).toBe("ok");
  expect(asked).toEqual([`kube.test:6443 Basic ${Buffer.from("me:pass").toString("base64")}`]);
  expect(server.requests[0]?.headers.host).toBe("kube.test:6443");
});

it("over a proxy that speaks TLS, which is not shown our client certificate", async () => {
  const asked: (string | undefined)[] = [];
  let shown: unknown;
  const secure = https.createServer({
    cert: identity.chainPem,
    key: identity.keyPem,
    requestCert: true,
    rejectUnauthorized: false,
  });
  secure.on("secureConnection", (socket) => {
    shown = socket.getPeerCertificate().subject;
  });
  const proxy = await listen(connectProxy(secure, asked));
  const config = configOf("https://kube.test:6443", { tls, proxyUrl: `https://127.0.0.1:${proxy}` });
  await using transport = createKubeTransport(config);
  // The authority of the API server does not vouch for the proxy.
  await expect(transport.send(get("/"))).rejects.toMatchObject({ code: "ERR_KUBE_TLS" });
  expect(shown).toBeUndefined();
  expect(asked).toEqual([]);
});

it("over SOCKS 5, the name resolved by the proxy", async () => {
  const asked: string[] = [];
  const proxy = await listen(net.createServer((socket) => void serveSocks(socket, asked)));
  const config = configOf("https://kube.test:6443", { tls, proxyUrl: `socks5://127.0.0.1:${proxy}` });
  await using transport = createKubeTransport(config);
  for (let n = 0; n < 3; n++) expect(await text((await transport.send(get("/x"))).body)).toBe("ok");
  expect(asked).toEqual(["kube.test:6443"]);
});

it("that refuses, or answers in the API server's words, is an error, and so is one that is not there", async () => {
  const status = JSON.stringify({ kind: "Status", reason: "NotFound", code: 404 });
  const refusals = ["407 Proxy Authentication Required", "404 Not Found", "502 Bad Gateway"];
  for (const refusal of refusals) {
    const refusing = http.createServer().on("connect", (_, socket) => {
      socket.end(`HTTP/1.1 ${refusal}\r\ncontent-type: application/json\r\n\r\n${status}`);
    });
    const proxy = await listen(refusing);
    const config = configOf("https://kube.test:6443", { tls, proxyUrl: `http://127.0.0.1:${proxy}` });
    await using transport = createKubeTransport(config);
    await expect(transport.send(get("/"))).rejects.toMatchObject({
      code: "ERR_KUBE_UNREACHABLE",
      message: `https://kube.test:6443: the proxy answered ${refusal}`,
    });
  }
  const config = configOf("https://kube.test:6443", { tls, proxyUrl: "http://me:secret@127.0.0.1:1" });
  await using absent = createKubeTransport(config);
  const failure = await absent.send(get("/")).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "ERR_KUBE_UNREACHABLE" });
  expect(String(failure) + JSON.stringify((failure as Error).cause)).not.toContain("secret");
});

it("whose URL is none is a configuration error without its password", async () => {
  for (const proxyUrl of ["http://me:secret@ a host", "ftp://me:secret@proxy", "proxy:3128"]) {
    await using transport = createKubeTransport(configOf("https://kube.test", { proxyUrl }));
    const failure = await transport.send(get("/")).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "ERR_KUBE_CONFIG" });
    expect(inspect(failure)).not.toContain("secret");
  }
});

it("and is known by an address: the certificate must be for that, not for localhost", async () => {
  const address = authority.issue({ dnsNames: [], ips: ["10.1.2.3"] });
  const localhost = authority.issue({ dnsNames: ["localhost"], ips: ["127.0.0.1"] });
  const byConnect = await listen(connectProxy(http.createServer(), []));
  const bySocks = await listen(net.createServer((socket) => void serveSocks(socket, [])));
  for (const proxyUrl of [`http://127.0.0.1:${byConnect}`, `socks5://127.0.0.1:${bySocks}`]) {
    await using transport = createKubeTransport(configOf("https://10.1.2.3:6443", { tls, proxyUrl }));
    server.use(localhost, authority.trustPem);
    await expect(transport.send(get("/"))).rejects.toMatchObject({ code: "ERR_KUBE_TLS" });
    server.use(address, authority.trustPem);
    expect(await text((await transport.send(get("/"))).body)).toBe("ok");
  }
});

it.each([
  ["the proxy never answers", undefined],
  ["nobody answers behind it", "HTTP/1.1 200 OK\r\n\r\n"],
])("a connection is given up in time when %s, and leaves nothing open", async (_, answer) => {
  const open = new Set<Socket>();
  const changed = new EventEmitter();
  const silent = net.createServer((socket) => {
    open.add(socket);
    changed.emit("change");
    socket.on("error", () => {});
    socket.on("close", () => {
      open.delete(socket);
      changed.emit("change");
    });
    if (answer !== undefined) socket.once("data", () => socket.write(answer));
    socket.resume();
  });
  const proxy = await listen(silent);
  const clock = createManualClock();
  const config = configOf("https://kube.test:6443", { tls, proxyUrl: `http://127.0.0.1:${proxy}` });
  await using transport = createKubeTransport(config, { clock });
  const slow = transport.send(get("/")).catch((error: unknown) => error);
  const caller = new AbortController();
  const left = transport.send(get("/", { signal: caller.signal })).catch((error: unknown) => error);
  while (open.size < 2) await once(changed, "change");
  caller.abort(new Error("no longer wanted"));
  expect(await left).toMatchObject({ message: "no longer wanted" });
  await clock.advance(10_000);
  expect(await slow).toMatchObject({ code: "ERR_KUBE_TIMEOUT" });
  while (open.size > 0) await once(changed, "change");
});

async function listen(one: net.Server): Promise<number> {
  closing.push(one);
  one.listen(0, "127.0.0.1");
  await once(one, "listening");
  return (one.address() as AddressInfo).port;
}

/** Whatever is asked for, it is our server. */
function connectProxy(proxy: http.Server, asked: (string | undefined)[]): http.Server {
  return proxy.on("connect", (request, socket) => {
    asked.push(`${request.url} ${request.headers["proxy-authorization"]}`);
    const upstream = net.connect(server.port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on("error", () => {});
    socket.on("error", () => {});
  });
}

/** RFC 1928 as far as it is needed: no authentication, CONNECT. */
async function serveSocks(socket: Socket, asked: string[]): Promise<void> {
  socket.on("error", () => {});
  await once(socket, "data");
  socket.write(Buffer.from([5, 0]));
  const [request] = (await once(socket, "data")) as [Buffer];
  const isName = request[3] === 3;
  const length = isName ? (request[4] ?? 0) : 3;
  asked.push(`${request.toString("latin1", 5, 5 + length)}:${request.readUInt16BE(5 + length)}`);
  const upstream = net.connect(server.port, "127.0.0.1", () => {
    socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
    socket.pipe(upstream).pipe(socket);
  });
  upstream.on("error", () => {});
}
