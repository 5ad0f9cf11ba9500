import { createTestAuthority } from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";
import { describe, expect, test } from "vitest";
import { createRotatingAgent } from "../src/agent.ts";
import { connectRotatingHttp2 } from "../src/http2-client.ts";
import type { IdentitySource } from "../src/identity-source.ts";
import type { ServerTrustOptions } from "../src/internal/client-tls.ts";
import { createRotatingPool } from "../src/pg.ts";
import { createRotatingDispatcher } from "../src/undici.ts";
import { webRoots } from "../src/web-roots.ts";
import { getWithAgent } from "./clients.ts";
import { startPlainServer } from "./plain-server.ts";
import { startPostgresStandIn } from "./postgres-stand-in.ts";
import { createRotatingIdentity } from "./rotating-identity.ts";
import { createIdentity, crl } from "./server-fixture.ts";

const authority = createTestAuthority();
const web = createTestAuthority({ intermediate: true });
const webTrust = createTrustBundle(web.certificates);
/** Servers of the web that demand a certificate of ours. */
const demandsOurs = { ca: [authority.trustPem] };

interface Client extends AsyncDisposable {
  get(): Promise<string>;
}

type Connect = (source: IdentitySource, origin: string, options?: ServerTrustOptions) => Client;

const kinds: [string, Connect][] = [
  [
    "https.Agent",
    (source, origin, options) => {
      const agent = createRotatingAgent(source, options);
      return Object.assign(disposing(agent), { get: async () => (await getWithAgent(agent, origin)).text });
    },
  ],
  [
    "undici",
    (source, origin, options) => {
      const dispatcher = createRotatingDispatcher(source, options);
      const get = async (): Promise<string> =>
        (await dispatcher.request({ origin, path: "/", method: "GET" })).body.text();
      return Object.assign(disposing(dispatcher), { get });
    },
  ],
  [
    "http2",
    (source, origin, options) => {
      const client = connectRotatingHttp2(source, origin, options);
      const get = async (): Promise<string> => {
        const { body } = await client.request({ ":path": "/" });
        return Buffer.concat(await body.toArray()).toString();
      };
      return Object.assign(disposing(client), { get });
    },
  ],
];

function disposing(what: AsyncDisposable): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => what[Symbol.asyncDispose]() };
}

describe.each(kinds)("%s", (name, connect) => {
  const http2 = name === "http2";

  test("an anonymous client shows nothing, even to who asks, and follows the trust of its identity", async () => {
    await using identity = createRotatingIdentity({ authority });
    const asks = { rejectUnauthorized: false };
    await using server = await startPlainServer({ authority, http2, tls: asks });
    const next = createTestAuthority();
    await using nextServer = await startPlainServer({ authority: next, http2, tls: asks });
    await using client = connect(identity.source, server.origin, { anonymous: true });
    await using other = connect(identity.source, nextServer.origin, { anonymous: true });
    expect(await client.get()).toBe("");
    await expect(other.get()).rejects.toThrow(/self.signed certificate|unable to (get|verify)/);
    identity.rotate({ authority: next, trust: next.certificates });
    expect(await other.get()).toBe("");
    await expect(client.get()).rejects.toThrow(/self.signed certificate|unable to (get|verify)/);
  });

  test("an anonymous client is told why a server that demands a certificate does not talk to it", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2 });
    await using client = connect(identity.source, server.origin, { anonymous: true });
    await expect(client.get()).rejects.toMatchObject({
      code: "ERR_ROTATION_CLIENT_REFUSED",
      message: expect.stringContaining("demands a client certificate, and this client is anonymous"),
    });
  });

  test("a server of other anchors is trusted as told, and shown who we are, before and after a rotation", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority: web, http2, tls: demandsOurs });
    await using client = connect(identity.source, server.origin, { serverTrust: webTrust });
    expect(await client.get()).toBe(identity.leaf.certificate.sha256);
    identity.rotate();
    expect(await client.get()).toBe(identity.leaf.certificate.sha256);
    await using both = connect(identity.source, server.origin, { serverTrust: webTrust, anonymous: true });
    await expect(both.get()).rejects.toMatchObject({ code: "ERR_ROTATION_CLIENT_REFUSED" });
  });

  test("those anchors take the place of the identity's: its own servers are refused", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2 });
    for (const serverTrust of [webTrust, webRoots()]) {
      await using client = connect(identity.source, server.origin, { serverTrust });
      await expect(client.get()).rejects.toThrow(/self.signed certificate|unable to (get|verify)/);
    }
  });

  test("the host's name counts, unless an authorizer decides", async () => {
    await using identity = createRotatingIdentity({ authority });
    const elsewhere = web.issue({ dnsNames: ["shop.example"], ips: [] });
    await using server = await startPlainServer({
      authority: web,
      identity: elsewhere,
      http2,
      tls: demandsOurs,
    });
    await using client = connect(identity.source, server.origin, { serverTrust: webTrust });
    await expect(client.get()).rejects.toThrow(/does not match certificate/);
    const authorizeServer: ServerTrustOptions["authorizeServer"] = ({ dnsNames, path }) =>
      dnsNames.includes("shop.example") && path.length === 3;
    await using told = connect(identity.source, server.origin, { serverTrust: webTrust, authorizeServer });
    expect(await told.get()).toBe(identity.leaf.certificate.sha256);
  });

  test("a withdrawn identity is shown to nobody, whomever the client was told to trust", async () => {
    const identity = createIdentity();
    let shown = 0;
    const handler = (_: unknown, response: { end(): void }): void => {
      shown += 1;
      response.end();
    };
    const tls = { rejectUnauthorized: false };
    await using server = await startPlainServer({ authority: web, http2, tls, handler });
    server.server.on("secureConnection", () => {
      shown += 1;
    });
    await using client = connect(identity.source, server.origin, { serverTrust: webTrust });
    identity.withdraw("the entry is gone");
    await expect(client.get()).rejects.toThrow();
    expect(shown).toBe(0);
    identity.rotate();
    await client.get();
  });

  test("revocation lists of the identity say nothing about servers of other anchors", async () => {
    const identity = createIdentity();
    identity.rotate({ crls: [crl(identity.authority, [], 1)] });
    await using server = await startPlainServer({
      authority: web,
      http2,
      tls: { requestCert: false },
    });
    await using client = connect(identity.source, server.origin, { serverTrust: webTrust });
    expect(await client.get()).toBe("");
  });

  test("an empty bundle is an error at once, never the roots of the system", () => {
    const identity = createIdentity();
    expect(() =>
      connect(identity.source, "https://127.0.0.1", { serverTrust: createTrustBundle([]) }),
    ).toThrow(expect.objectContaining({ code: "ERR_ROTATION_OPTIONS" }));
  });
});

test("a database of the web's authorities, with a certificate or with none", async () => {
  await using identity = createRotatingIdentity({ authority });
  const { chainPem: cert, keyPem: key } = web.issue();
  await using server = await startPostgresStandIn({ cert, key, ...demandsOurs, rejectUnauthorized: false });
  const where = { host: "127.0.0.1", port: server.port, user: "app", database: "shop" };
  await using pool = createRotatingPool(identity.source, { ...where, serverTrust: webTrust });
  await pool.query("select 1");
  await using anonymous = createRotatingPool(identity.source, {
    ...where,
    serverTrust: webTrust,
    anonymous: true,
  });
  await anonymous.query("select 1");
  expect(server.connections.map(({ client }) => client !== undefined)).toEqual([true, false]);
});

test("the web's roots are read, every one of them, once", async () => {
  const { rootCertificates } = await import("node:tls");
  expect(webRoots().certificates).toHaveLength(new Set(rootCertificates).size);
  expect(webRoots()).toBe(webRoots());
});
