import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tls from "node:tls";
import { createTestAuthority, type TestIdentity } from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";
import { describe, expect, test } from "vitest";
import { createRotatingIdentity } from "../test/rotating-identity.ts";
import { until } from "../test/waiting.ts";
import { isProved, parseTarget, proveServed, resolveTarget, verifyServed } from "./served.ts";

const authority = createTestAuthority({ intermediate: true });
const trust = createTrustBundle(authority.certificates);
const MINUTE = 60_000;

describe("verdicts", () => {
  const expected = authority.issue({ dnsNames: ["backend"], notBefore: minutes(-10), notAfter: minutes(10) });
  const cases: [string, TestIdentity, string][] = [
    ["equal: the same leaf", expected, "equal"],
    [
      "older: the same identity, issued before",
      authority.issue({ dnsNames: ["backend"], notBefore: minutes(-20), notAfter: minutes(20) }),
      "older",
    ],
    [
      "newer: the same identity, issued after",
      authority.issue({ dnsNames: ["backend"], notBefore: minutes(-5), notAfter: minutes(5) }),
      "newer",
    ],
    [
      "newer: issued in the same second with a longer life",
      authority.issue({ dnsNames: ["backend"], notBefore: minutes(-10), notAfter: minutes(11) }),
      "newer",
    ],
    ["foreign: another identity", authority.issue({ dnsNames: ["frontend"] }), "foreign"],
  ];
  test.each(cases)("%s", async (_, served, verdict) => {
    await using server = await serve(served);
    const report = await verifyServed(server.target, expected.certificate, { trust });
    expect(report).toMatchObject({ verdict, target: server.target, trusted: { ok: true } });
    expect(report.served?.leaf.sha256).toBe(served.certificate.sha256);
    expect(report.served?.protocol).toBe("TLSv1.3");
    expect(isProved(report)).toBe(verdict === "equal");
  });

  test("foreign: a leaf that cannot be read, even when the server refuses us as well", async () => {
    // OpenSSL serves what RFC 5280 section 4.2 forbids: an extension that is there twice.
    const good = authority.issue();
    const hex = Buffer.from(good.certificate.der).toString("hex").replace("0603551d0e", "0603551d23");
    const certificate = `-----BEGIN CERTIFICATE-----\n${Buffer.from(hex, "hex").toString("base64")}\n-----END CERTIFICATE-----\n`;
    const strange = { chainPem: certificate, keyPem: good.keyPem };
    await using server = await serve(strange, demanding());
    const report = await verifyServed(server.target, expected.certificate, { trust });
    expect(report.verdict).toBe("foreign");
    expect(report.message).toContain("appears twice");
    expect(report.served).toBeUndefined();
  });

  test("unreachable: nobody listens", async () => {
    const server = await serve(expected);
    await server[Symbol.asyncDispose]();
    const report = await verifyServed(server.target, expected.certificate);
    expect(report).toMatchObject({
      verdict: "unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    expect(report.served).toBeUndefined();
  });

  test("unreachable: a server that accepts and says nothing, at the deadline", async () => {
    await using server = await listen(net.createServer((socket) => socket.resume()));
    const report = await verifyServed(server.target, expected.certificate, { timeoutMs: 50 });
    expect(report).toMatchObject({ verdict: "unreachable", message: "not done within 50 ms" });
    await until(() => server.open() === 0);
  });

  test("unreachable: a server that speaks plain HTTP", async () => {
    const plain = net.createServer((socket) =>
      socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    );
    await using server = await listen(plain);
    const report = await verifyServed(server.target, expected.certificate);
    expect(report.verdict).toBe("unreachable");
    expect(report.message).toMatch(/wrong version number|packet length too long/i);
  });

  test("the caller's signal rejects instead of being a verdict", async () => {
    await using server = await listen(net.createServer());
    const control = new AbortController();
    const report = verifyServed(server.target, expected.certificate, { signal: control.signal });
    server.server.once("connection", () => control.abort(new Error("stop")));
    await expect(report).rejects.toThrow("stop");
  });
});

describe("the chain as sent", () => {
  test("is complete, in order, and validated", async () => {
    const identity = createRotatingIdentity({ authority });
    await using server = await serve(identity.leaf);
    const report = await verifyServed(server.target, identity.source.current());
    expect(report.served?.chain.map(({ sha256 }) => sha256)).toEqual(
      identity.leaf.intermediates.map(({ sha256 }) => sha256),
    );
    expect(report).toMatchObject({ verdict: "equal", trusted: { ok: true } });
    expect(report.message).toBeUndefined();
  });

  test("is not completed from anybody's store when an intermediate is missing", async () => {
    const identity = createRotatingIdentity({ authority });
    await using server = await serve({ ...identity.leaf, chainPem: identity.leaf.certificatePem });
    const report = await verifyServed(server.target, identity.source.current(), {
      client: identity.source.current(),
    });
    expect(report.served?.chain).toEqual([]);
    expect(report).toMatchObject({
      verdict: "equal",
      trusted: { ok: false },
      message: "1 of 1 intermediates are not sent",
    });
    expect(isProved(report)).toBe(false);
  });

  test("a leaf of an authority that is not trusted is equal and not proved", async () => {
    const identity = createTestAuthority().issue();
    await using server = await serve(identity);
    const report = await verifyServed(server.target, identity.certificate, { trust });
    expect(report).toMatchObject({ verdict: "equal", trusted: { ok: false, code: "unknown_authority" } });
    expect(isProved(report)).toBe(false);
  });
});

describe("client certificates", () => {
  const identity = createRotatingIdentity({ authority });
  const generation = identity.source.current();

  test.each(["TLSv1.3", "TLSv1.2"] as const)(
    "the leaf is seen without one where the server demands one, %s",
    async (version) => {
      await using server = await serve(identity.leaf, { maxVersion: version, ...demanding() });
      const report = await verifyServed(server.target, generation);
      expect(report).toMatchObject({
        verdict: "equal",
        served: { protocol: version },
        trusted: { ok: true },
      });
      expect(report.message).toMatch(/refused the client: .*(certificate required|handshake failure)/);
    },
  );

  test.each(["TLSv1.3", "TLSv1.2"] as const)("the generation given is presented, %s", async (version) => {
    await using server = await serve(identity.leaf, { maxVersion: version, ...demanding() });
    const seen = once(server.server, "secureConnection");
    const report = await verifyServed(server.target, generation, { client: generation });
    expect(report.message).toBeUndefined();
    const [socket] = (await seen) as [tls.TLSSocket];
    expect(socket.authorized).toBe(true);
  });

  test("a thousandth look leaves nothing behind", async () => {
    await using server = await serve(identity.leaf, demanding());
    const signal = new AbortController().signal;
    for (let i = 0; i < 50; i++)
      await verifyServed(server.target, generation, { client: generation, signal });
    await until(() => server.open() === 0);
  });
});

describe("PostgreSQL", () => {
  const identity = authority.issue({ dnsNames: ["db"] });

  test("asks with an SSLRequest before the handshake", async () => {
    const context = tls.createSecureContext({ cert: identity.chainPem, key: identity.keyPem });
    const database = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (request: Buffer) => {
        expect(request.toString("hex")).toBe("0000000804d2162f");
        socket.write("S");
        new tls.TLSSocket(socket, { isServer: true, secureContext: context }).on("error", () => {});
      });
    });
    await using server = await listen(database);
    const target = server.target.replace("tls:", "postgres:");
    const report = await verifyServed(target, identity.certificate, { trust });
    expect(report).toMatchObject({ target, verdict: "equal", trusted: { ok: true } });
  });

  test.each([
    ["N", 'answered "N" to the SSLRequest: ssl is off'],
    ["E", "answered the SSLRequest with an error"],
    ["S!", "unencrypted data after the answer"],
    ["HTTP/1.1 400", "does not speak the PostgreSQL protocol"],
    ["", "connection closed instead of an answer"],
  ])("says what is wrong with the answer %j", async (answer, message) => {
    const database = net.createServer((socket) => socket.on("error", () => {}).end(answer));
    await using server = await listen(database);
    const target = server.target.replace("tls:", "postgresql:");
    const report = await verifyServed(target, identity.certificate);
    expect(report).toMatchObject({ verdict: "unreachable", message: expect.stringContaining(message) });
  });
});

describe("targets", () => {
  test.each([
    ["https://backend.shop.svc", { name: "https://backend.shop.svc:443", servername: "backend.shop.svc" }],
    ["https://[::1]:8443/path?query", { name: "https://[::1]:8443", address: { host: "::1", port: 8443 } }],
    ["tls://10.0.0.1:9000", { name: "tls://10.0.0.1:9000", protocol: "tls" }],
    ["backend:8443", { name: "tls://backend:8443", servername: "backend" }],
    [
      "postgres://user:secret@db/shop",
      { name: "postgres://db:5432", protocol: "postgres", servername: "db" },
    ],
    ["unix:/run/app.sock", { name: "unix:/run/app.sock", address: { path: "/run/app.sock" } }],
    ["unix:///run/app.sock", { name: "unix:/run/app.sock", address: { path: "/run/app.sock" } }],
  ])("%s", (text, parsed) => {
    expect(parseTarget(text)).toMatchObject(parsed);
  });

  test.each(["", "http://x", "tls://x", "unix:run", "https://", "x:99999", "ftp://u:secret@x"])(
    "%j is refused, and no password repeated",
    (text) => {
      expect(() => parseTarget(text)).toThrow(
        expect.objectContaining({
          code: "ERR_ROTATION_OPTIONS",
          message: expect.not.stringContaining("secret"),
        }),
      );
    },
  );

  test("a host name becomes one target for each of its addresses, with the name as SNI", async () => {
    const targets = await resolveTarget("https://localhost:8443");
    expect(targets.length).toBeGreaterThan(0);
    for (const target of targets) {
      expect(target).toMatchObject({ servername: "localhost", address: { port: 8443 } });
      expect(net.isIP("host" in target.address ? target.address.host : "")).not.toBe(0);
    }
  });

  test("a unix socket", async () => {
    const directory = await mkdtemp(join(tmpdir(), "newleaf-served-"));
    const identity = authority.issue();
    const path = join(directory, "app.sock");
    const server = tls.createServer({ cert: identity.chainPem, key: identity.keyPem });
    server.listen(path);
    await once(server, "listening");
    const report = await verifyServed(`unix:${path}`, identity.certificate, { trust });
    server.close();
    await rm(directory, { recursive: true });
    expect(report).toMatchObject({ verdict: "equal", target: `unix:${path}` });
  });

  test("the servername chooses among several certificates", async () => {
    const [first, second] = [
      authority.issue({ dnsNames: ["first"] }),
      authority.issue({ dnsNames: ["second"] }),
    ];
    await using server = await serve(first, {
      SNICallback: (name, done) => {
        const { chainPem, keyPem } = name === "second" ? second : first;
        done(null, tls.createSecureContext({ cert: chainPem, key: keyPem }));
      },
    });
    const report = await verifyServed(server.target, second.certificate, { servername: "second" });
    expect(report.verdict).toBe("equal");
  });
});

test("proveServed asks again until the new leaf is served", async () => {
  const identity = createRotatingIdentity({ authority });
  await using server = await serve(identity.leaf);
  const generation = identity.rotate();
  let connections = 0;
  server.server.on("connection", () => {
    connections += 1;
    if (connections === 3)
      server.server.setSecureContext({ cert: identity.leaf.chainPem, key: identity.leaf.keyPem });
  });
  const [report] = await proveServed([server.target], generation);
  expect(report && isProved(report)).toBe(true);
  expect(connections).toBeGreaterThanOrEqual(4);
});

test("proveServed gives the last answer when time is over", async () => {
  const identity = createRotatingIdentity({ authority });
  await using server = await serve(identity.leaf);
  const [report] = await proveServed([server.target], identity.rotate(), { withinMs: 100 });
  expect(report?.verdict).toBe("older");
});

function demanding(): tls.TlsOptions {
  return { ca: [authority.trustPem], requestCert: true, rejectUnauthorized: true };
}

interface Listening extends AsyncDisposable {
  readonly server: tls.Server;
  readonly target: string;
  open(): number;
}

function serve(
  identity: Pick<TestIdentity, "chainPem" | "keyPem">,
  options: tls.TlsOptions = {},
): Promise<Listening> {
  return listen(tls.createServer({ cert: identity.chainPem, key: identity.keyPem, ...options }));
}

async function listen(server: net.Server): Promise<Listening> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  return {
    server: server as tls.Server,
    target: `tls://127.0.0.1:${port}`,
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function minutes(count: number): Date {
  // Whole seconds, as certificates have them.
  return new Date(Math.floor(Date.now() / 1000) * 1000 + count * MINUTE);
}
