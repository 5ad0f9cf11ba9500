import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { createManualClock, createTestAuthority } from "@newleaf/testing";
import { describe, expect, it } from "vitest";
import { configOf, get, startLoopbackServer, text } from "../test/loopback-server.ts";
import { createKubeClient } from "./client.ts";
import { KubeError } from "./error.ts";
import { createKubeTransport } from "./kube-transport.ts";
import { resources } from "./resources.ts";
import { valueOrThrow } from "./status.ts";

const authority = createTestAuthority();
const identity = authority.issue({ dnsNames: ["kube.test"] });
const trusted = { ca: { pem: authority.trustPem } };

describe("connections", () => {
  it("are one for requests that follow each other, and kept alive", async () => {
    await using server = await startLoopbackServer((_, response) => response.end("ok"), { identity });
    await using transport = createKubeTransport(configOf(`${server.url}/prefix/`, { tls: trusted }));
    for (let n = 0; n < 5; n++) expect(await text((await transport.send(get("/x?y=1"))).body)).toBe("ok");
    expect(server.sockets).toHaveLength(1);
    expect(server.requests.map(({ url }) => url)).toEqual(Array(5).fill("/prefix/x?y=1"));
  });

  it("are used again after an answer that nobody read, when it was short", async () => {
    await using server = await startLoopbackServer((_, response) => response.end("refused"), { identity });
    await using transport = createKubeTransport(configOf(server.url, { tls: trusted }));
    for (let n = 0; n < 3; n++)
      await (await transport.send(get("/"))).body[Symbol.asyncIterator]().return?.();
    await text((await transport.send(get("/"))).body);
    expect(server.sockets.length).toBeLessThanOrEqual(2);
  });

  it("carry bodies, with their length in octets", async () => {
    await using server = await startLoopbackServer((request, response) => void request.pipe(response), {
      identity,
    });
    await using transport = createKubeTransport(configOf(server.url, { tls: trusted }));
    const { body } = await transport.send(get("/", { method: "POST", body: "grün 🌱" }));
    expect(await text(body)).toBe("grün 🌱");
    expect(server.requests[0]?.headers["content-length"]).toBe("10");
  });

  it("that the server closed while idle are no failure of a GET", async () => {
    await using server = await startLoopbackServer((_, response) => response.end("ok"));
    await using transport = createKubeTransport(configOf(server.url));
    await text((await transport.send(get("/"))).body);
    // In one turn, so that our end has not heard of it when it sends.
    server.sockets[0]?.resetAndDestroy();
    const retried = transport.send(get("/"));
    expect(await text((await retried).body)).toBe("ok");

    server.sockets[1]?.resetAndDestroy();
    const written = transport.send(get("/", { method: "POST", body: "{}" }));
    await expect(written).rejects.toMatchObject({ code: "ERR_KUBE_UNREACHABLE" });
    expect(server.requests.map(({ method }) => method)).toEqual(["GET", "GET"]);
  });
});

describe("connections that are idle", () => {
  it("are there for requests however many watches are open", async () => {
    await using server = await startLoopbackServer((request, response) => {
      if (request.url?.includes("watch")) response.flushHeaders();
      else response.end("ok");
    });
    await using transport = createKubeTransport(configOf(server.url), { maxSockets: 2 });
    for (let n = 0; n < 5; n++) expect((await transport.send(get("/x?watch=true"))).status).toBe(200);
    expect(await text((await transport.send(get("/x"))).body)).toBe("ok");
    expect(server.sockets.length).toBe(6);
  });

  it("end after a while, and a watch on which nothing happens does not", async () => {
    await using server = await startLoopbackServer((request, response) => {
      if (request.url === "/watch") response.flushHeaders();
      else response.end("ok");
    });
    await using transport = createKubeTransport(configOf(server.url), { idleTimeoutMs: 50 });
    const watch = await transport.send(get("/watch"));
    await text((await transport.send(get("/"))).body);
    const [watching, idle] = server.sockets;
    if (!idle?.destroyed) await once(idle as net.Socket, "close");
    expect(watching?.destroyed).toBe(false);
    await watch.body[Symbol.asyncIterator]().return?.();
  });

  it.skipIf(!existsSync("/proc/net/tcp"))(
    "are probed by TCP, so that one whose other end is gone is noticed",
    async () => {
      await using server = await startLoopbackServer((_, response) => response.end("ok"), { identity });
      await using transport = createKubeTransport(configOf(server.url, { tls: trusted }));
      await text((await transport.send(get("/"))).body);
      const remote = `:${server.port.toString(16).toUpperCase().padStart(4, "0")}`;
      const ours = readFileSync("/proc/net/tcp", "utf8")
        .split("\n")
        .map((line) => line.trim().split(/\s+/));
      const [timer = "", due = ""] =
        ours.find(([, , to, state]) => to?.endsWith(remote) && state === "01")?.[5]?.split(":") ?? [];
      // 2 is the keep-alive timer (proc_net_tcp); in hundredths of a second.
      expect(Number(timer)).toBe(2);
      expect(Number.parseInt(due, 16)).toBeLessThanOrEqual(1_500);
    },
  );
});

describe("ends", () => {
  it("with the caller's signal, before and within an answer", async () => {
    await using server = await startLoopbackServer(
      (request, response) => {
        if (request.url === "/body") response.write("a");
      },
      { identity },
    );
    await using transport = createKubeTransport(configOf(server.url, { tls: trusted }));
    const [first, second] = [new AbortController(), new AbortController()];
    const pending = transport.send(get("/headers", { signal: first.signal }));
    first.abort(new Error("first"));
    await expect(pending).rejects.toThrow("first");

    const { body } = await transport.send(get("/body", { signal: second.signal }));
    const chunks = body[Symbol.asyncIterator]();
    await chunks.next();
    const waiting = chunks.next();
    second.abort(new Error("second"));
    await expect(waiting).rejects.toThrow("second");
  });

  it("of the server within an answer are ERR_KUBE_UNREACHABLE", async () => {
    await using server = await startLoopbackServer(
      (_, response) => {
        response.write("a");
        setImmediate(() => response.socket?.destroy());
      },
      { identity },
    );
    await using transport = createKubeTransport(configOf(server.url, { tls: trusted }));
    const { body } = await transport.send(get("/"));
    await expect(text(body)).rejects.toMatchObject({ code: "ERR_KUBE_UNREACHABLE" });
  });

  it("of the transport itself end what is under way, and refuse what comes after", async () => {
    let arrived = (): void => {};
    const request = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await using server = await startLoopbackServer(() => arrived(), { identity });
    const transport = createKubeTransport(configOf(server.url, { tls: trusted }));
    const pending = transport.send(get("/")).catch((error: unknown) => error);
    await request;
    await transport[Symbol.asyncDispose]();
    expect(await pending).toMatchObject({ code: "ERR_KUBE_CLOSED" });
    await expect(transport.send(get("/"))).rejects.toMatchObject({ code: "ERR_KUBE_CLOSED" });
  });
});

describe("failures name the server, and what it was", () => {
  it("refused", async () => {
    const port = await unusedPort();
    await using transport = createKubeTransport(configOf(`https://127.0.0.1:${port}`, { tls: trusted }));
    await expect(transport.send(get("/"))).rejects.toMatchObject({
      code: "ERR_KUBE_UNREACHABLE",
      message: `https://127.0.0.1:${port}: connection refused (ECONNREFUSED)`,
    });
  });

  it("not made in time", async () => {
    // Accepts, and never answers the handshake.
    const silent = net.createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const accepted = once(silent, "connection");
    const clock = createManualClock();
    const { port } = silent.address() as AddressInfo;
    await using transport = createKubeTransport(configOf(`https://127.0.0.1:${port}`, { tls: trusted }), {
      clock,
    });
    const pending = transport.send(get("/")).catch((error: unknown) => error);
    const [socket] = (await accepted) as [net.Socket];
    await clock.advance(10_000);
    expect(await pending).toMatchObject({ code: "ERR_KUBE_TIMEOUT" });
    socket.destroy();
    silent.close();
  });

  it.each([
    [
      "another authority",
      {},
      { ca: { pem: createTestAuthority({ name: "other" }).trustPem } },
      "is not trusted",
    ],
    ["the system's roots, where no authority is given", {}, {}, "is not trusted"],
    ["an expired certificate", { defect: "expired" as const }, trusted, "CERT_HAS_EXPIRED"],
    ["another name", { ips: ["127.0.0.9"] }, trusted, "for another name"],
    ["another name than that asked for", {}, { ...trusted, serverName: "other.test" }, "for another name"],
  ])("not proved: %s", async (_, issue, tls, why) => {
    await using server = await startLoopbackServer((_request, response) => response.end(), {
      identity: authority.issue({ dnsNames: ["kube.test"], ...issue }),
    });
    await using transport = createKubeTransport(configOf(server.url, { tls }));
    await expect(transport.send(get("/"))).rejects.toMatchObject({
      code: "ERR_KUBE_TLS",
      message: expect.stringContaining(why),
    });
    expect(server.requests).toEqual([]);
  });

  it("refused by the server's TLS", async () => {
    await using server = await startLoopbackServer((_, response) => response.end(), {
      identity,
      clientCa: authority.trustPem,
    });
    await using transport = createKubeTransport(configOf(server.url, { tls: trusted }));
    await expect(transport.send(get("/"))).rejects.toMatchObject({ code: "ERR_KUBE_TLS" });
  });

  it("no TLS at all, and no HTTP", async () => {
    await using plain = await startLoopbackServer((_, response) => response.end());
    await using transport = createKubeTransport(
      configOf(`https://127.0.0.1:${plain.port}`, { tls: trusted }),
    );
    await expect(transport.send(get("/"))).rejects.toMatchObject({ code: "ERR_KUBE_TLS" });
    const ssh = net.createServer((socket) => socket.end("SSH-2.0\r\n")).listen(0, "127.0.0.1");
    await once(ssh, "listening");
    const { port } = ssh.address() as AddressInfo;
    await using other = createKubeTransport(configOf(`http://127.0.0.1:${port}`));
    await expect(other.send(get("/"))).rejects.toMatchObject({ code: "ERR_KUBE_PROTOCOL" });
    ssh.close();
  });
});

describe("who the server is", () => {
  it("may have another name than its address", async () => {
    const named = authority.issue({ dnsNames: ["kube.test"], ips: [] });
    await using server = await startLoopbackServer((_, response) => response.end("ok"), { identity: named });
    await using transport = createKubeTransport(
      configOf(server.url, { tls: { ...trusted, serverName: "kube.test" } }),
    );
    expect((await transport.send(get("/"))).status).toBe(200);
  });

  it("does not matter with insecure-skip-tls-verify, which is warned about", async () => {
    const warnings: string[] = [];
    const logger = {
      debug: () => {},
      info: () => {},
      warn: (_: object, message: string) => void warnings.push(message),
      error: () => {},
    };
    await using server = await startLoopbackServer((_, response) => response.end("ok"), { identity });
    const config = configOf(server.url, { tls: { insecureSkipVerify: true } });
    await using transport = createKubeTransport(config, { logger });
    expect((await transport.send(get("/"))).status).toBe(200);
    expect(warnings).toEqual(["API server is not verified: insecure-skip-tls-verify"]);
  });

  it.each([
    ["empty", ""],
    ["no certificate", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
    ["cut off", authority.trustPem + authority.trustPem.slice(0, 200)],
    ["damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
  ])("is never left to the system's roots by an authority that is %s", async (_, pem) => {
    await using transport = createKubeTransport(configOf("https://127.0.0.1:1", { tls: { ca: { pem } } }));
    await expect(transport.send(get("/"))).rejects.toMatchObject({ code: "ERR_KUBE_CONFIG" });
  });
});

it("a credential that goes over the network in clear is warned about", () => {
  const warnings: string[] = [];
  const warn = (_: object, message: string): void => void warnings.push(message);
  const logger = { debug: () => {}, info: () => {}, warn, error: () => {} };
  createKubeTransport(configOf("http://127.0.0.1:8001", { user: { token: "t" } }), { logger });
  createKubeTransport(configOf("http://kube.test", {}), { logger });
  expect(warnings).toEqual([]);
  createKubeTransport(configOf("http://kube.test", { user: { token: "t" } }), { logger });
  expect(warnings).toEqual(["credentials are sent in clear: the API server's URL is http"]);
});

describe("who we are", () => {
  it("is a client certificate", async () => {
    await using server = await startLoopbackServer((_, response) => response.end("ok"), {
      identity,
      clientCa: authority.trustPem,
    });
    const us = authority.issue({ commonName: "newleaf" });
    const tls = { ...trusted, cert: { pem: us.chainPem }, key: { pem: us.keyPem } };
    await using transport = createKubeTransport(configOf(server.url, { tls }));
    expect((await transport.send(get("/"))).status).toBe(200);
  });

  it("is a token, a password, and somebody else", async () => {
    await using server = await startLoopbackServer((_, response) => response.end());
    const impersonate = {
      userName: "jane",
      uid: "7",
      groups: ["a", "b"],
      extra: { "example.org/scopes": ["x", "y"] },
    };
    await using first = createKubeTransport(configOf(server.url, { user: { token: "t\n", impersonate } }));
    await using second = createKubeTransport(
      configOf(server.url, { user: { username: "u", password: "p" } }),
    );
    await first.send(get("/"));
    await second.send(get("/"));
    expect(server.requests[0]?.headersDistinct).toMatchObject({
      authorization: ["Bearer t"],
      "impersonate-user": ["jane"],
      "impersonate-uid": ["7"],
      "impersonate-group": ["a", "b"],
      "impersonate-extra-example.org%2fscopes": ["x", "y"],
    });
    expect(server.requests[1]?.headers.authorization).toBe("Basic dTpw");
  });

  it("may be somebody whose name is not ASCII, and nobody with two lines", async () => {
    await using server = await startLoopbackServer((_, response) => response.end());
    const as = (userName: string) =>
      configOf(server.url, { user: { impersonate: { userName, groups: ["żółw"] } } });
    await using transport = createKubeTransport(as("jürgen"));
    await transport.send(get("/"));
    const { headers } = server.requests[0] ?? {};
    const sent = [headers?.["impersonate-user"], headers?.["impersonate-group"]].map(String);
    expect(sent.map((value) => Buffer.from(value, "latin1").toString())).toEqual(["jürgen", "żółw"]);
    expect(() => createKubeTransport(as("a\nb"))).toThrow(
      expect.objectContaining({ code: "ERR_KUBE_CONFIG" }),
    );
  });

  it("never shows in an error", () => {
    const config = configOf("https://127.0.0.1:1", { user: { token: "se\ncret" } });
    expect(() => createKubeTransport(config)).toThrow(
      new KubeError("ERR_KUBE_CONFIG", "the test: the token is empty, or not one line of ASCII"),
    );
  });
});

it("a watch ends at once on the wire when it is left", async () => {
  let ended: Promise<unknown> | undefined;
  await using server = await startLoopbackServer(
    (_, response) => {
      ended = once(response, "close");
      response.write('{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n');
    },
    { identity },
  );
  await using transport = createKubeTransport(configOf(server.url, { tls: trusted }));
  await using client = createKubeClient({ transport });
  const stream = valueOrThrow(await client.resource(resources.pods).watch(), "watch");
  expect(await stream.next()).toMatchObject({ value: { type: "ADDED" } });
  const waiting = stream.next();
  await stream.return?.();
  expect(await waiting).toMatchObject({ done: true });
  await ended;
});

async function unusedPort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
