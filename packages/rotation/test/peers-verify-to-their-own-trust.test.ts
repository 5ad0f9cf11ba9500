import { once } from "node:events";
import tls from "node:tls";
import { type Certificate, createTrustBundle, EKU, issueIntermediate, type TrustBundle } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createRotatingAgent } from "../src/agent.ts";
import type { PeerTrust } from "../src/peer-trust.ts";
import { getWithAgent } from "./clients.ts";
import {
  type Credentials,
  closeOf,
  createAuthority,
  createIdentity,
  failure,
  get,
  issue,
  startServer,
} from "./server-fixture.ts";

const [ours, theirs] = [createAuthority("ours"), createAuthority("theirs")];
const anchors = {
  ours: createTrustBundle([ours.certificate]),
  theirs: createTrustBundle([theirs.certificate]),
};

/** Whoever is called `x.theirs` is vouched for by that authority, and by no other. */
function byLastLabel(bundles: Readonly<Record<string, TrustBundle>>): PeerTrust {
  return {
    sha256: Object.keys(bundles).join(),
    certificates: Object.values(bundles).flatMap(({ certificates }) => certificates),
    select(leaf) {
      const [name] = leaf.subjectAltNames.flatMap((name) => (name.type === "dns" ? [name.value] : []));
      const domain = name?.split(".").at(-1) ?? "";
      return bundles[domain] ?? { code: "unknown_authority", message: `nobody vouches for ${domain}` };
    },
    objection: (path) =>
      path.length > 3 ? { code: "not_svid", message: "there is more than one intermediate" } : undefined,
  };
}

const both = byLastLabel(anchors);
const onlyOurs = byLastLabel({ ours: anchors.ours });
const client = (authority: typeof ours, name: string) => issue(authority, { dnsNames: [name] });

test("a peer is let in by the authority of its own domain, and by no other", async () => {
  const identity = createIdentity({ authority: ours, peerTrust: both });
  await using server = await startServer(identity.source, { handler: (_q: never, r: never) => answer(r) });
  expect((await get(server.port, client(ours, "a.ours"))).status).toBe(200);
  expect((await get(server.port, client(theirs, "a.theirs"))).status).toBe(200);
  await failure(server.port, client(theirs, "a.ours"));
  expect((await server.rejected()).code).toBe("unknown_authority");
  await failure(server.port, client(ours, "a.nobodys"));
  expect(server.rejections.at(-1)?.message).toBe("nobody vouches for nobodys");
});

test("a path may be objected to beyond what RFC 5280 has against it", async () => {
  const later = new Date(Date.now() + 3_600_000);
  const first = issueIntermediate(ours, { subject: "CN=first", notAfter: later });
  const second = issueIntermediate(first, { subject: "CN=second", notAfter: later });
  const identity = createIdentity({ authority: ours, peerTrust: both });
  await using server = await startServer(identity.source, { handler: (_q: never, r: never) => answer(r) });
  const below = (issuer: typeof ours, chain: readonly Certificate[]) =>
    issue(issuer, { dnsNames: ["a.ours"] }, chain);
  expect((await get(server.port, below(first, [first.certificate]))).status).toBe(200);
  await failure(server.port, below(second, [second.certificate, first.certificate]));
  expect(await server.rejected("not_svid")).toMatchObject({ message: "there is more than one intermediate" });
});

test("a domain that is dropped loses its open connections and gets no new ones", async () => {
  const identity = createIdentity({ authority: ours, peerTrust: both });
  await using server = await startServer(identity.source, { handler: (_q: never, r: never) => answer(r) });
  const held = await openConnection(server.port, client(theirs, "a.theirs"));
  identity.rotate({ peerTrust: onlyOurs });
  await held.closed;
  expect((await server.rejected("trust_removed")).phase).toBe("established");
  await failure(server.port, client(theirs, "a.theirs"));
  expect((await server.rejected("unknown_authority")).phase).toBe("handshake");
  expect((await get(server.port, client(ours, "a.ours"))).status).toBe(200);
});

test("a client trusts a server by the same rule", async () => {
  const server = createIdentity({
    authority: theirs,
    peerTrust: both,
    leaf: issue(theirs, { dnsNames: ["b.theirs"], extendedKeyUsage: [EKU.serverAuth] }),
  });
  const identity = createIdentity({ authority: ours, peerTrust: both, leaf: client(ours, "a.ours") });
  await using listening = await startServer(server.source, { handler: (_q: never, r: never) => answer(r) });
  await using agent = createRotatingAgent(identity.source, { authorizeServer: () => true });
  expect((await getWithAgent(agent, listening.url)).status).toBe(200);
  identity.rotate({ peerTrust: onlyOurs, leaf: client(ours, "a.ours") });
  await expect(getWithAgent(agent, listening.url)).rejects.toThrow();
});

test("a withdrawn identity is shown to nobody, and nobody is let in until there is another", async () => {
  const identity = createIdentity({ authority: ours });
  await using server = await startServer(identity.source, { handler: (_q: never, r: never) => answer(r) });
  const held = await openConnection(server.port, client(ours, "a.ours"));
  identity.withdraw("the entry is gone");
  expect(identity.source.status().withdrawn).toBe("the entry is gone");
  await held.closed;
  expect(await failure(server.port, client(ours, "a.ours"))).toBe("ECONNRESET");
  const rejection = await server.rejected("identity_withdrawn");
  expect(rejection.message).toBe("our own identity was withdrawn: the entry is gone");
  expect((await server.rotation.whenServed(2)).withdrawn).toBe("the entry is gone");

  identity.rotate();
  expect(identity.source.status().withdrawn).toBeUndefined();
  expect((await get(server.port, client(ours, "a.ours"))).status).toBe(200);
});

test("a client whose identity was withdrawn talks to nobody", async () => {
  const identity = createIdentity({ authority: ours });
  await using server = await startServer(createIdentity({ authority: ours }).source, {
    handler: (_q: never, r: never) => answer(r),
  });
  await using agent = createRotatingAgent(identity.source);
  expect((await getWithAgent(agent, server.url)).status).toBe(200);
  identity.withdraw("the entry is gone");
  await expect(getWithAgent(agent, server.url)).rejects.toThrow();
  identity.rotate();
  expect((await getWithAgent(agent, server.url)).status).toBe(200);
});

function answer(response: { end(text: string): void }): void {
  response.end("hello");
}

/** An idle connection that was let in. */
async function openConnection(port: number, { cert, key }: Credentials): Promise<{ closed: Promise<void> }> {
  const socket = tls.connect({ port, host: "127.0.0.1", cert, key, rejectUnauthorized: false });
  socket.on("error", () => {});
  const closed = closeOf(socket);
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(socket, "data");
  socket.resume();
  return { closed };
}
