import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import {
  createIdentityHolder,
  createRotatingAgent,
  type IdentityMaterial,
  type IdentitySource,
  peerOf,
  type Rejection,
  rotateServer,
  serverOptions,
} from "@newleaf/rotation";
import { createSpiffeAuthority, type SpiffeAuthority, type X509SvidOptions } from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";
import { expect, test } from "vitest";
import { spiffe } from "../src/authorizers.ts";
import { createSpiffePeerTrust } from "../src/peer-trust.ts";
import type { X509Bundles } from "../src/x509-bundle.ts";
import { parseX509Svid } from "../src/x509-svid.ts";

const ours = createSpiffeAuthority({ trustDomain: "ours.example" });
const theirs = createSpiffeAuthority({ trustDomain: "theirs.example", intermediate: true });
const bundlesOf = (...authorities: readonly SpiffeAuthority[]): X509Bundles =>
  new Map(
    authorities.map(({ trustDomain, x509Authorities }) => [trustDomain, createTrustBundle(x509Authorities)]),
  );
const both = bundlesOf(ours, theirs);

function material(authority: SpiffeAuthority, svid: X509SvidOptions, bundles = both): IdentityMaterial {
  const { certificates, key } = parseX509Svid(authority.issueX509Svid(svid));
  const trust = bundles.get(authority.trustDomain) ?? createTrustBundle([]);
  return { certificates, key, trust, peerTrust: createSpiffePeerTrust(bundles) };
}

function identity(authority: SpiffeAuthority, svid: X509SvidOptions = {}, bundles = both) {
  const holder = createIdentityHolder();
  const result = holder.offer(material(authority, svid, bundles));
  if (result.outcome === "refused") throw new Error(result.refusal.message);
  return {
    source: holder.asSource({ reload: async () => {}, close: async () => {} }),
    trust: (next: X509Bundles) => holder.offer(material(authority, svid, next)),
  };
}

async function startServer(source: IdentitySource) {
  const server = https.createServer(serverOptions(source), (request, response) =>
    response.end(peerOf(request.socket)?.uris.join()),
  );
  const rejections: Rejection[] = [];
  const rotation = rotateServer(server, source, {
    authorize: spiffe.oneOf(spiffe.memberOf("ours.example"), "spiffe://theirs.example/frontend"),
    onRejection: (rejection) => rejections.push(rejection),
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    lastRejection: () => rejections.at(-1)?.code,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await rotation[Symbol.asyncDispose]();
    },
  };
}

/** Connects with a client's own TLS, which shows whatever it is told and trusts everyone. */
function get(port: number, authority: SpiffeAuthority, svid: X509SvidOptions = {}): Promise<string> {
  const { chainPem, keyPem } = authority.issueX509Svid(svid).identity;
  return request({ port, cert: chainPem, key: keyPem, rejectUnauthorized: false, agent: false });
}

function request(options: https.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    https
      .get({ host: "127.0.0.1", ...options }, async (response) => {
        let body = "";
        for await (const chunk of response) body += String(chunk);
        resolve(body);
      })
      .on("error", reject);
  });
}

test("a server lets in SVIDs of two trust domains, each by its own authorities", async () => {
  const server = identity(ours, { path: "/backend" });
  await using listening = await startServer(server.source);
  const { port, lastRejection } = listening;
  const refused = async (code: string, authority: SpiffeAuthority, svid: X509SvidOptions = {}) => {
    await expect(get(port, authority, svid)).rejects.toThrow();
    await expect.poll(lastRejection).toBe(code);
  };
  expect(await get(port, ours, { path: "/frontend" })).toBe("spiffe://ours.example/frontend");
  expect(await get(port, theirs, { path: "/frontend" })).toBe("spiffe://theirs.example/frontend");
  await refused("not_allowed", theirs, { path: "/other" });
  await refused("unknown_authority", theirs, { spiffeId: "spiffe://ours.example/frontend" });
  await refused("not_svid", ours, { issue: { extra: { uris: [] } } });
  await refused("not_svid", ours, {
    issue: { extra: { uris: ["spiffe://ours.example/a", "spiffe://ours.example/b"] } },
  });

  server.trust(bundlesOf(ours));
  await refused("unknown_authority", theirs, { path: "/frontend" });
  expect(await get(port, ours, { path: "/frontend" })).toBe("spiffe://ours.example/frontend");
});

test("a client knows a server by its SPIFFE ID, whatever the host", async () => {
  await using server = await startServer(identity(ours, { path: "/backend" }).source);
  const client = identity(theirs, { path: "/frontend" });
  const ask = async (authorizeServer: ReturnType<typeof spiffe.any>) => {
    await using agent = createRotatingAgent(client.source, { authorizeServer });
    return await request({ port: server.port, agent });
  };
  expect(await ask(spiffe.id("spiffe://ours.example/backend"))).toBe("spiffe://theirs.example/frontend");
  await expect(ask(spiffe.id("spiffe://ours.example/other"))).rejects.toMatchObject({
    code: "ERR_ROTATION_SERVER_REFUSED",
  });
  client.trust(bundlesOf(theirs));
  await expect(ask(spiffe.id("spiffe://ours.example/backend"))).rejects.toThrow();
});
