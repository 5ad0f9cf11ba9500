import { once } from "node:events";
import tls from "node:tls";
import { createTrustBundle, EKU } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createRotatingAgent } from "../src/agent.ts";
import type { IdentitySource, Refusal } from "../src/identity-source.ts";
import { type PeerTrustSource, withPeerTrust } from "../src/with-peer-trust.ts";
import { getWithAgent } from "./clients.ts";
import {
  type Credentials,
  closeOf,
  createAuthority,
  createIdentity,
  crl,
  failure,
  get,
  issue,
  issueServer,
  startServer,
  type TestIdentity,
  within,
} from "./server-fixture.ts";

const web = createAuthority("web");
const ours = createAuthority("ours");
const client = (name = "frontend"): Credentials => issue(ours, { dnsNames: [name] });
const answer = (_: never, response: { end(text: string): void }): void => response.end("hello");

interface World extends AsyncDisposable {
  readonly own: TestIdentity;
  readonly peers: TestIdentity;
  readonly source: IdentitySource;
}

function createWorld(): World {
  const own = createIdentity({ authority: web });
  const peers = createIdentity({ authority: ours });
  const source = withPeerTrust(own.source, peers.source);
  return { own, peers, source, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
}

test("the certificate is one source's, and clients are verified by the other's trust alone", async () => {
  await using world = createWorld();
  await using server = await startServer(world.source, { handler: answer });
  expect((await get(server.port, client())).serverSerial?.toLowerCase()).toBe(
    world.own.source.current().leaf.serialNumber.toLowerCase(),
  );
  await failure(server.port, issue(web));
  expect((await server.rejected("unknown_authority")).message).toMatch(/web root|frontend/);
  expect(world.source.current()).toMatchObject({ number: 1, crls: [] });
  await server.rotation.whenComplete(1, AbortSignal.timeout(5_000));
});

test("a new certificate is served, and the other source's is nobody's business", async () => {
  await using world = createWorld();
  await using server = await startServer(world.source, { handler: answer });
  const { leaf } = world.own.rotate();
  expect(world.source.current()).toMatchObject({ number: 2, leaf });
  await server.rotation.whenComplete(2, AbortSignal.timeout(5_000));
  expect((await get(server.port, client())).serverSerial?.toLowerCase()).toBe(
    leaf.serialNumber.toLowerCase(),
  );
  world.peers.rotate();
  expect(world.source.current().number).toBe(2);
});

test("trust that the other source takes back ends connections and is not given again", async () => {
  await using world = createWorld();
  await using server = await startServer(world.source, { handler: answer });
  const held = await holdOpen(server.port, client());
  const next = createAuthority("next");
  world.peers.rotate({ leaf: issueServer(next), trust: [next.certificate] });
  // Told by itself, without anybody asking for the current one.
  await within(5_000, "not ended", held.closed);
  expect((await server.rejected("trust_removed")).phase).toBe("established");
  expect((await get(server.port, issue(next))).status).toBe(200);
});

test("revocation lists count for those whom they are about", async () => {
  const revoked = client("revoked");
  const own = createIdentity({ authority: web, crls: [crl(web, [], 1)] });
  const peers = createIdentity({ authority: ours, crls: [crl(ours, [], 1)] });
  await using source = withPeerTrust(own.source, peers.source);
  await using server = await startServer(source, { handler: answer });
  expect((await get(server.port, revoked)).status).toBe(200);
  peers.rotate({ crls: [crl(ours, [revoked.certificate], 2)] });
  const { number } = source.current();
  expect(number).toBe(2);
  await failure(server.port, revoked);
  await server.rejected("revoked");
  expect((await get(server.port, client())).status).toBe(200);
  await server.rotation.whenServed(number, AbortSignal.timeout(5_000));
});

test("a client shows the one and verifies by the other", async () => {
  await using world = createWorld();
  const server = createIdentity({ authority: ours, trust: [ours.certificate, web.certificate] });
  await using listening = await startServer(server.source, { handler: answer });
  await using agent = createRotatingAgent(world.source);
  expect((await getWithAgent(agent, listening.url)).text).toBe("hello");
  await using alone = createRotatingAgent(world.own.source);
  await expect(getWithAgent(alone, listening.url)).rejects.toThrow(/unable to|self.signed/);
});

test("it is withdrawn while either is", async () => {
  await using world = createWorld();
  await using server = await startServer(world.source, { handler: answer });
  world.peers.withdraw("the entry is gone");
  expect(world.source.status().withdrawn).toBe("the trust in peers was taken away: the entry is gone");
  await failure(server.port, client());
  await server.rejected("identity_withdrawn");
  world.own.withdraw("the file is gone");
  expect(world.source.status().withdrawn).toBe("the file is gone");
  world.own.rotate();
  expect(world.source.status().withdrawn).toMatch(/^the trust in peers/);
  world.peers.rotate();
  expect(world.source.status().withdrawn).toBeUndefined();
  expect((await get(server.port, client())).status).toBe(200);
});

test("what was withdrawn from the start is withdrawn, until it comes back", async () => {
  const own = createIdentity({ authority: web });
  const peers = createIdentity({ authority: ours });
  peers.withdraw("not yet");
  await using source = withPeerTrust(own.source, peers.source);
  expect(source.current().withdrawn).toBe("the trust in peers was taken away: not yet");
  peers.rotate();
  expect(source.current().withdrawn).toBeUndefined();
});

test("refusals of both are told and counted, and it is stale while either is", async () => {
  await using world = createWorld();
  const refusals = world.source.refusals(AbortSignal.timeout(5_000));
  const expired = { notBefore: new Date(1), notAfter: new Date(2), extendedKeyUsage: [EKU.serverAuth] };
  expect(() => world.own.rotate({ leaf: issue(web, expired) })).toThrow(/expired/);
  expect(() => world.peers.rotate({ leaf: issue(web) })).toThrow(/does not verify/);
  const told: (Refusal | undefined)[] = [(await refusals.next()).value, (await refusals.next()).value];
  expect(told.map((refusal) => refusal?.code)).toEqual(["expired", "unverified_chain"]);
  expect(world.source.status()).toMatchObject({
    stale: true,
    refusals: { expired: 1, unverified_chain: 1 },
    lastRefusal: { code: "unverified_chain" },
    updates: 1,
  });
  world.own.rotate();
  expect(world.source.status().stale).toBe(true);
  world.peers.rotate();
  expect(world.source.status().stale).toBe(false);
});

test("a reload reads both again, and disposal closes neither", async () => {
  const own = createIdentity({ authority: web });
  const next = createTrustBundle([createAuthority("next").certificate]);
  const before = own.source.current();
  let anchors = before as ReturnType<PeerTrustSource["current"]>;
  const peers: PeerTrustSource = {
    current: () => anchors,
    async *watch(signal) {
      if (signal) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      yield undefined;
    },
    async reload() {
      anchors = { trust: next, peerTrust: undefined, crls: [], withdrawn: undefined };
    },
  };
  const source = withPeerTrust(own.source, peers);
  await source.reload();
  expect(source.current().peerTrust?.certificates).toEqual(next.certificates);
  await source[Symbol.asyncDispose]();
  await expect(source.reload()).rejects.toMatchObject({ code: "ERR_ROTATION_CLOSED" });
  const last = source.current();
  own.rotate();
  expect(source.current()).toBe(last);
  expect(own.source.current().number).toBe(2);
});

test.each(["own", "peers"] as const)("it ends with %s", async (which) => {
  const world = createWorld();
  const generations = world.source.watch();
  await generations.next();
  await world[which].source[Symbol.asyncDispose]();
  expect(await within(5_000, "not ended", generations.next())).toEqual({ done: true, value: undefined });
  await world.source[Symbol.asyncDispose]();
});

/** An idle connection that was let in. */
async function holdOpen(port: number, { cert, key }: Credentials): Promise<{ closed: Promise<void> }> {
  const socket = tls.connect({ port, host: "127.0.0.1", cert, key, rejectUnauthorized: false });
  socket.on("error", () => {});
  const closed = closeOf(socket);
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(socket, "data");
  socket.resume();
  return { closed };
}
