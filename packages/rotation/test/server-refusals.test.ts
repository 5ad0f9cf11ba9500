import { once } from "node:events";
import net from "node:net";
import type tls from "node:tls";
import { EKU, issueIntermediate } from "@newleaf/x509";
import { describe, expect, test } from "vitest";
import { allow } from "../src/authorize.ts";
import { peerOf } from "../src/verified-peer.ts";
import {
  createAuthority,
  createIdentity,
  crl,
  failure,
  get,
  HOUR,
  issue,
  startServer,
  within,
} from "./server-fixture.ts";

const hello = (request: { socket: tls.TLSSocket }, response: { end(text: string): void }): void => {
  response.end(peerOf(request.socket)?.dnsNames.join() ?? "nobody");
};

async function send(port: number, octets: Uint8Array | string, allowHalfOpen = false): Promise<string> {
  const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen });
  let answer = "";
  socket.setEncoding("latin1").on("data", (text) => {
    answer += text;
  });
  socket.on("error", () => {});
  if (allowHalfOpen) socket.end(octets);
  else socket.write(octets);
  await once(socket, "close");
  return answer;
}

describe("what a server refuses, and what it says of it", () => {
  test("lets a peer of its authority in and knows who it is", async () => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, {
      handler: hello,
      authorize: allow.dns("frontend"),
    });
    const answer = await get(server.port, issue(identity.authority));
    expect(answer.body).toBe("frontend");
    expect(server.rejections).toEqual([]);
    expect(server.rotation.stats().handshakes).toEqual({ full: 1, resumed: 0 });
  });

  test("no certificate: with the TLS alert that says so", async () => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, { handler: hello });
    expect(await failure(server.port)).toBe("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
    const rejection = await server.rejected();
    expect(rejection).toMatchObject({ code: "no_certificate", phase: "handshake", resumed: false });
    expect(rejection.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(rejection.peer).toBeUndefined();
  });

  const authority = createAuthority();
  const stranger = createAuthority("stranger");
  const intermediate = issueIntermediate(authority, {
    subject: "CN=intermediate",
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + HOUR),
  });
  const rows = [
    ["unknown_authority", issue(stranger)],
    [
      "expired",
      issue(authority, { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) }),
    ],
    [
      "not_yet_valid",
      issue(authority, { notBefore: new Date(Date.now() + HOUR), notAfter: new Date(Date.now() + 2 * HOUR) }),
    ],
    ["wrong_usage", issue(authority, { extendedKeyUsage: [EKU.serverAuth] })],
    ["not_allowed", issue(authority, { subject: "CN=intruder", dnsNames: ["intruder"] })],
    ["chain_incomplete", issue(intermediate)],
    ["ca_as_leaf", issue(authority, { isCa: true, keyUsage: ["digitalSignature", "keyCertSign"] })],
  ] as const;
  test.each(rows)("%s: with subject, issuer, serial number and address", async (code, credentials) => {
    const identity = createIdentity({ authority });
    await using server = await startServer(identity.source, {
      handler: hello,
      authorize: allow.dns("frontend"),
    });
    // The intermediate is known from somebody else.
    const complete = issue(intermediate, {}, [intermediate.certificate]);
    expect((await get(server.port, complete)).body).toBe("frontend");

    expect(await failure(server.port, credentials)).toBe("ECONNRESET");

    const { certificate } = credentials;
    const rejection = await server.rejected();
    expect(rejection).toMatchObject({
      code,
      phase: "handshake",
      resumed: false,
      peer: {
        serialNumber: certificate.serialNumber,
        sha256: certificate.sha256,
        notAfter: certificate.notAfter,
        subject: `CN=${certificate.subject.commonName}`,
        issuer: `CN=${certificate.issuer.commonName}`,
      },
    });
    expect(rejection.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(rejection.message).not.toBe("");
    expect(server.rejections).toHaveLength(1);
    expect(server.rotation.stats().rejections).toEqual({ [code]: 1 });
  });

  test("revoked", async () => {
    const revoked = issue(authority);
    const identity = createIdentity({ authority, crls: [crl(authority, [revoked.certificate], 1)] });
    await using server = await startServer(identity.source, { handler: hello });
    expect((await get(server.port, issue(authority))).body).toBe("frontend");
    expect(await failure(server.port, revoked)).toBe("ECONNRESET");
    expect(await server.rejected()).toMatchObject({
      code: "revoked",
      peer: { serialNumber: revoked.certificate.serialNumber },
    });
  });

  test("TLS 1.2 only", async () => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, { handler: hello });
    const code = await failure(server.port, { ...issue(identity.authority), maxVersion: "TLSv1.2" });
    expect(code).toBe("EPROTO");
    expect(await server.rejected()).toMatchObject({ code: "unsupported_protocol" });
  });

  test.each([false, true])(
    "plain HTTP: with an answer that a person understands (half-open: %s)",
    async (halfOpen) => {
      const identity = createIdentity();
      await using server = await startServer(identity.source, { handler: hello });
      const answer = await send(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", halfOpen);
      expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(answer).toContain("This port speaks HTTPS");
      expect(await server.rejected()).toMatchObject({ code: "plain_http" });
      const closed = once(server.server, "close");
      server.server.close();
      await within(2_000, "still connected", closed);
    },
  );

  test("garbage", async () => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, { handler: hello });
    await send(server.port, Buffer.from("00000008 04d2162f".replace(" ", ""), "hex"));
    expect(await server.rejected()).toMatchObject({
      code: "not_tls",
      message: "the client does not speak TLS; it began with 0x0000000804d2162f",
    });
  });

  test("garbage in a TLS record", async () => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, { handler: hello });
    await send(server.port, Buffer.concat([Buffer.from([0x16, 3, 1, 0, 64]), Buffer.alloc(64, 0xaa)]));
    expect(await server.rejected()).toMatchObject({ code: "handshake_failed" });
  });

  test.each([
    ["nothing sent", Buffer.alloc(0)],
    ["half a word of HTTP", Buffer.from("GE")],
    ["half a ClientHello", Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3])],
  ])("handshake never finished: %s", async (_, octets) => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, { handler: hello, handshakeTimeoutMs: 100 });
    await send(server.port, octets);
    expect(await server.rejected()).toMatchObject({ code: "handshake_timeout" });
    expect(server.rejections).toHaveLength(1);
  });

  test("a TCP probe that sends nothing and leaves is no rejection", async () => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, { handler: hello });
    const probe = net.connect(server.port, "127.0.0.1");
    await once(probe, "connect");
    probe.end();
    await once(probe, "close");
    expect((await get(server.port, issue(identity.authority))).status).toBe(200);
    expect(server.rejections).toEqual([]);
  });

  test("a client that does not trust this server is told apart from one that we refuse", async () => {
    const identity = createIdentity();
    await using server = await startServer(identity.source, { handler: hello });
    await failure(server.port, { ...issue(identity.authority), rejectUnauthorized: true, ca: [] });
    expect(await server.rejected()).toMatchObject({ code: "handshake_failed" });
  });

  test("every way of saying no but yes: an authorizer that throws, and one that answers with a promise", async () => {
    const identity = createIdentity();
    const authorizers = [
      () => {
        throw new Error("policy not loaded");
      },
      (async () => true) as never,
    ];
    for (const authorize of authorizers) {
      await using server = await startServer(identity.source, { handler: hello, authorize });
      expect(await failure(server.port, issue(identity.authority))).toBe("ECONNRESET");
      expect(await server.rejected()).toMatchObject({ code: "not_allowed" });
    }
  });
});
