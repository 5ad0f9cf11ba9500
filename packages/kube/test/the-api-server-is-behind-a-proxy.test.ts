import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Socket } from "node:net";
import { createTestAuthority } from "@newleaf/testing";
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

it("that refuses is an answer, and one that is not there an error without its password", async () => {
  const refusing = http.createServer().on("connect", (_, socket) => {
    socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
  });
  const proxy = await listen(refusing);
  const config = configOf("https://kube.test:6443", { tls, proxyUrl: `http://127.0.0.1:${proxy}` });
  await using refused = createKubeTransport(config);
  expect(await refused.send(get("/"))).toMatchObject({ status: 407 });
  await using absent = createKubeTransport({ ...config, proxyUrl: "http://me:secret@127.0.0.1:1" });
  const failure = await absent.send(get("/")).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "ERR_KUBE_UNREACHABLE" });
  expect(String(failure) + JSON.stringify((failure as Error).cause)).not.toContain("secret");
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

/** RFC 1928 as far as it is needed: no authentication, CONNECT, a domain name. */
async function serveSocks(socket: Socket, asked: string[]): Promise<void> {
  socket.on("error", () => {});
  await once(socket, "data");
  socket.write(Buffer.from([5, 0]));
  const [request] = (await once(socket, "data")) as [Buffer];
  const length = request[4] ?? 0;
  asked.push(`${request.toString("latin1", 5, 5 + length)}:${request.readUInt16BE(5 + length)}`);
  const upstream = net.connect(server.port, "127.0.0.1", () => {
    socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
    socket.pipe(upstream).pipe(socket);
  });
  upstream.on("error", () => {});
}
