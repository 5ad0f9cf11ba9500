import { createTestAuthority, type TestIssueOptions } from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import { createRotatingAgent } from "../src/agent.ts";
import { connectRotatingHttp2 } from "../src/http2-client.ts";
import type { IdentitySource } from "../src/identity-source.ts";
import type { ServerTrustOptions } from "../src/internal/client-tls.ts";
import { createRotatingDispatcher } from "../src/undici.ts";
import { getWithAgent } from "./clients.ts";
import { startPlainServer } from "./plain-server.ts";
import { createRotatingIdentity } from "./rotating-identity.ts";

const authority = createTestAuthority();

type Get = (source: IdentitySource, origin: string, options?: ServerTrustOptions) => Promise<string>;

const gets: [string, Get][] = [
  [
    "https.Agent",
    async (source, origin, options) => {
      await using agent = createRotatingAgent(source, options);
      return (await getWithAgent(agent, origin)).text;
    },
  ],
  [
    "undici",
    async (source, origin, options) => {
      await using dispatcher = createRotatingDispatcher(source, options);
      const { body } = await dispatcher.request({ origin, path: "/", method: "GET" });
      return await body.text();
    },
  ],
  [
    "http2",
    async (source, origin, options) => {
      await using client = connectRotatingHttp2(source, origin, options);
      const { body } = await client.request({ ":path": "/" });
      return Buffer.concat(await body.toArray()).toString();
    },
  ],
];

describe.each(gets)("%s", (name, get) => {
  const http2 = name === "http2";

  const refusals: [string, TestIssueOptions, RegExp][] = [
    [
      "an unknown authority",
      { defect: "unknown_authority" },
      /self.signed certificate|unable to (get|verify)/,
    ],
    ["an expired certificate", { defect: "expired" }, /expired/],
    ["a name that is not the host's", { ips: ["127.0.0.2"] }, /does not match certificate/],
    ["a certificate for clients only", { extra: { extendedKeyUsage: ["1.3.6.1.5.5.7.3.2"] } }, /purpose/],
  ];
  test.each(refusals)("refuses %s", async (_, issue, message) => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2, identity: authority.issue(issue) });
    await expect(get(identity.source, server.origin)).rejects.toThrow(message);
  });

  test("compares URI names instead of the host's when told how", async () => {
    await using identity = createRotatingIdentity({ authority });
    const id = "spiffe://shop.example/backend";
    const issue = { uris: [id], dnsNames: [], ips: [], commonName: "backend" };
    await using server = await startPlainServer({ authority, http2, identity: authority.issue(issue) });
    await expect(get(identity.source, server.origin)).rejects.toThrow(/does not match certificate/);
    const other = { authorizeServer: () => false };
    await expect(get(identity.source, server.origin, other)).rejects.toMatchObject({
      code: "ERR_ROTATION_SERVER_REFUSED",
      message: `server 127.0.0.1 is not trusted: not allowed: ${id}, CN=backend`,
    });
    const seen: string[] = [];
    const text = await get(identity.source, server.origin, {
      authorizeServer: (peer) => {
        seen.push(...peer.uris, `${peer.path.length} certificates`, peer.validUntil.toISOString());
        return peer.uris.includes(id);
      },
    });
    expect(text).toBe(identity.leaf.certificate.sha256);
    expect(seen.slice(0, 2)).toEqual([id, "2 certificates"]);
  });

  test("refuses a server whose authority was dropped while the handshake was under way", async () => {
    const next = createTestAuthority();
    await using identity = createRotatingIdentity({ authority });
    const tls = { ca: [authority.trustPem, next.trustPem] };
    await using server = await startPlainServer({ authority, http2, tls });
    // By now the client has bound its side of the handshake to the generation with the old trust.
    server.server.once("connection", () => identity.rotate({ authority: next, trust: next.certificates }));
    await expect(get(identity.source, server.origin)).rejects.toMatchObject({
      code: "ERR_ROTATION_SERVER_REFUSED",
    });
  });

  test("an authorizer that throws has said no, and the process lives", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2 });
    const authorizeServer = (): never => {
      throw new Error("oops");
    };
    await expect(get(identity.source, server.origin, { authorizeServer })).rejects.toMatchObject({
      code: "ERR_ROTATION_SERVER_REFUSED",
      message: "server 127.0.0.1 is not trusted: the authorizer failed: oops",
    });
  });

  test("TLS 1.2 only when told", async () => {
    await using identity = createRotatingIdentity({ authority });
    const tls = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
    await using server = await startPlainServer({ authority, http2, tls });
    await expect(get(identity.source, server.origin)).rejects.toThrow();
    expect(await get(identity.source, server.origin, { minVersion: "TLSv1.2" })).toBe(
      identity.leaf.certificate.sha256,
    );
  });

  test("says so when the server ends the connection after the handshake without a word", async () => {
    await using identity = createRotatingIdentity({ authority });
    const strange = createTestAuthority();
    await using server = await startPlainServer({ authority, http2, tls: { ca: [strange.trustPem] } });
    const { serialNumber } = identity.leaf.certificate;
    await expect(get(identity.source, server.origin)).rejects.toMatchObject({
      code: "ERR_ROTATION_CLIENT_REFUSED",
      message: expect.stringContaining(`probably refused our certificate (localhost, serial ${serialNumber}`),
      cause: expect.any(Error),
    });
  });
});
