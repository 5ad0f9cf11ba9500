import { status } from "@grpc/grpc-js";
import type { Generation, IdentitySource } from "@newleaf/rotation";
import {
  createManualClock,
  createSpiffeAuthority,
  startWorkloadApi,
  type WorkloadApiOptions,
  type WorkloadApiServer,
} from "@newleaf/testing";
import { issueCrl } from "@newleaf/x509";
import { expect, onTestFinished, test } from "vitest";
import { type WatchSpiffeOptions, watchSpiffe, type X509Source } from "./x509-source.ts";

const authority = createSpiffeAuthority();
const other = createSpiffeAuthority({ trustDomain: "other.org" });
const HOUR = 3_600_000;

async function start(options: Partial<WorkloadApiOptions> = {}): Promise<WorkloadApiServer> {
  const server = await startWorkloadApi({ authority, ...options });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function watch(server: WorkloadApiServer, options: WatchSpiffeOptions = {}): Promise<X509Source> {
  const source = await watchSpiffe({ address: server.address, ...options });
  onTestFinished(() => source[Symbol.asyncDispose]());
  return source;
}

/** Resolves with the first generation, the current one included, that satisfies the condition. */
async function generation(
  source: IdentitySource,
  condition: (generation: Generation) => boolean,
): Promise<Generation> {
  const late = AbortSignal.timeout(10_000);
  for await (const current of source.watch(late)) if (condition(current)) return current;
  throw new Error(`no generation within 10 s: ${condition}`);
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const sha256 = (server: WorkloadApiServer, index = 0): string =>
  server.svids[index]!.identity.certificate.sha256;

test("resolves with the first identity, and follows every rotation", async () => {
  const server = await start();
  const source = await watch(server);
  expect(source.current()).toMatchObject({ number: 1, identity: "spiffe://example.org/workload" });
  expect(source.current().leaf.sha256).toBe(sha256(server));
  server.rotate();
  const next = await generation(source, ({ number }) => number === 2);
  expect(next.leaf.sha256).toBe(sha256(server));
  expect(`${source.svid().id}`).toBe("spiffe://example.org/workload");
  expect(source.svid().certificates[0]!.sha256).toBe(sha256(server));
  expect(source.workloadApi()).toMatchObject({ connected: true, messages: 2, discarded: 0, failures: 0 });
});

test("Workload API 4.6: peers verify to the bundle of their own trust domain, own peers to the SVID's", async () => {
  const server = await start({ federated: [other] });
  const source = await watch(server);
  const { trust, peerTrust } = source.current();
  expect(trust.certificates).toEqual(authority.x509Authorities);
  const stranger = other.issueX509Svid().identity.certificate;
  expect(peerTrust!.select(stranger)).toMatchObject({ certificates: other.x509Authorities });
  server.unfederate("other.org");
  const next = await generation(source, ({ number }) => number === 2);
  expect(next.leaf.sha256).toBe(sha256(server));
  expect(next.peerTrust!.select(stranger)).toMatchObject({ code: "unknown_authority" });
});

test("Workload API 5.3: the default identity is the first; a hint, an ID or a function picks another", async () => {
  const server = await start({ workloads: [{ path: "/a" }, { path: "/b", hint: "external" }] });
  expect((await watch(server)).current().identity).toBe("spiffe://example.org/a");
  expect((await watch(server, { hint: "external" })).current().identity).toBe("spiffe://example.org/b");
  const pick: WatchSpiffeOptions["pick"] = (svids) => svids.find(({ id }) => id.path === "/b");
  expect((await watch(server, { pick })).current().identity).toBe("spiffe://example.org/b");
  expect((await watch(server, { id: "spiffe://example.org/b" })).current().identity).toBe(
    "spiffe://example.org/b",
  );
  await expect(watch(server, { pick, hint: "a" })).rejects.toMatchObject({ code: "ERR_SPIFFE_OPTIONS" });
  // There are some, but not this one: that is another mistake than an entry that is missing.
  await expect(watch(server, { pick: () => undefined, waitMs: 100 })).rejects.toThrow(
    /no SVID of those that were asked for/,
  );
});

test("waits for an agent that starts late, and for an entry that comes late", async () => {
  const server = await start({ started: false });
  const starting = watch(server);
  await server.start();
  await starting;
  server.deny();
  const entitled = watch(server);
  await server.until(({ calls }) => calls.FetchX509SVID >= 2);
  server.recover();
  await entitled;
});

test.each<[string, (server: WorkloadApiServer) => unknown, WatchSpiffeOptions, string]>([
  ["an agent that is not there", (server) => server.stop(), {}, "ERR_SPIFFE_UNAVAILABLE"],
  ["no entry", (server) => server.deny(), {}, "ERR_SPIFFE_PERMISSION_DENIED"],
  ["an agent that says nothing", (server) => server.stall(), {}, "ERR_SPIFFE_UNAVAILABLE"],
  ["another hint", () => {}, { hint: "external" }, "ERR_SPIFFE_NO_SVID"],
  ["another ID", () => {}, { id: "spiffe://example.org/c" }, "ERR_SPIFFE_NO_SVID"],
  ["no SVID in the message", (server) => server.redact(), {}, "ERR_SPIFFE_NO_SVID"],
  [
    "an SVID that has expired",
    (server) => server.setWorkloads([{ issue: { defect: "expired" } }]),
    {},
    "ERR_SPIFFE_X509_SVID",
  ],
  [
    "an SVID of an authority outside its bundle",
    (server) => server.setWorkloads([{ issue: { defect: "unknown_authority" } }]),
    {},
    "ERR_SPIFFE_X509_SVID",
  ],
  [
    "a message without a key",
    (server) =>
      server.send(({ svids }) => {
        svids[0]!.x509SvidKey = new Uint8Array();
      }),
    {},
    "ERR_SPIFFE_WORKLOAD_API",
  ],
])("rejects in time with the reason: %s", async (_, prepare, options, code) => {
  const server = await start();
  await prepare(server);
  await expect(watch(server, { waitMs: 700, ...options })).rejects.toMatchObject({ code });
});

test("Workload Endpoint 6: rejects at once when the call is refused for good", async () => {
  const server = await start();
  server.fail(status.UNIMPLEMENTED);
  await expect(watch(server)).rejects.toMatchObject({ code: "ERR_SPIFFE_WORKLOAD_API" });
  expect(server.counters.calls.FetchX509SVID).toBe(1);
});

test("Workload Endpoint 6: a call refused for good later keeps the identity, and a reload tries it again", async () => {
  const server = await start();
  const source = await watch(server);
  server.fail(status.UNIMPLEMENTED);
  await until(() => source.status().stale);
  expect(source.workloadApi().lastFailure?.reason).toBe("refused");
  expect(source.current()).toMatchObject({ number: 1, withdrawn: undefined });
  server.recover();
  server.rotate();
  await source.reload();
  expect(source.current().leaf.sha256).toBe(sha256(server));
  expect(source.status().stale).toBe(false);
});

test("the wait ends with its signal", async () => {
  const server = await start();
  server.deny();
  const stop = new AbortController();
  const waiting = watch(server, { signal: stop.signal });
  await server.until(({ calls }) => calls.FetchX509SVID > 0);
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await server.until(({ open }) => open.FetchX509SVID === 0);
});

test("the last good identity is kept while the agent is away, as stale, and the next one taken when it is back", async () => {
  const server = await start();
  const source = await watch(server, { graceMs: 0 });
  await server.stop();
  await until(() => source.status().stale);
  expect(source.status()).toMatchObject({
    withdrawn: undefined,
    expired: false,
    refusals: { unreadable: 1 },
  });
  expect(source.workloadApi()).toMatchObject({ connected: false, lastFailure: { reason: "unavailable" } });
  await until(() => source.workloadApi().failures >= 3);
  expect(source.status().refusals).toEqual({ unreadable: 1 });
  server.rotate();
  await server.start();
  const next = await generation(source, ({ number }) => number === 2);
  expect(next.leaf.sha256).toBe(sha256(server));
  expect(source.status().stale).toBe(false);
});

test("an agent that comes back with what it had before makes no generation", async () => {
  const server = await start();
  const source = await watch(server);
  await server.stop();
  await until(() => source.status().stale);
  await server.start();
  await until(() => !source.status().stale);
  expect(source.current().number).toBe(1);
});

test("Workload API 4.5: a discarded message keeps what was before, is counted and reported", async () => {
  const server = await start();
  const source = await watch(server);
  const before = source.current();
  server.send(({ svids }) => {
    svids[0]!.bundle = new Uint8Array();
  });
  await until(() => source.workloadApi().discarded > 0);
  expect(source.current()).toBe(before);
  expect(source.status()).toMatchObject({ stale: true, lastRefusal: { code: "unreadable" } });
  expect(source.status().lastRefusal!.message).toContain("has no bundle");
  server.rotate();
  await generation(source, ({ number }) => number === 2);
});

test("Workload API 5.2.1: PermissionDenied withdraws the identity after the grace, and an SVID brings it back", async () => {
  const server = await start();
  const source = await watch(server, { graceMs: 100 });
  const stranger = authority.issueX509Svid().identity.certificate;
  server.deny();
  const deniedAt = performance.now();
  await until(() => source.status().stale);
  expect(source.current().withdrawn).toBe(undefined);
  const withdrawn = await generation(source, (current) => current.withdrawn !== undefined);
  expect(performance.now() - deniedAt).toBeGreaterThanOrEqual(95);
  expect(withdrawn.withdrawn).toContain("no identity for this workload");
  expect(withdrawn.peerTrust!.select(stranger)).toMatchObject({ code: "identity_withdrawn" });
  expect(() => source.svid()).toThrow(expect.objectContaining({ code: "ERR_SPIFFE_NO_SVID" }));
  expect(source.context()).toMatchObject({ svids: [], bundles: new Map() });
  server.recover();
  const back = await generation(source, (current) => current.withdrawn === undefined);
  expect(back.leaf.sha256).toBe(sha256(server));
  expect(source.status()).toMatchObject({ withdrawn: undefined, stale: false });
  source.svid();
});

test("Workload API 5.2.1: a denial within the grace is nothing, and the grace starts anew with the next", async () => {
  const clock = createManualClock(Date.now());
  const server = await start();
  const source = await watch(server, { clock });
  server.deny();
  await until(() => source.status().stale);
  server.recover();
  await clock.advance(200);
  await until(() => !source.status().stale);
  await clock.advance(31_000);
  expect(source.current()).toMatchObject({ number: 1, withdrawn: undefined });
  server.deny();
  await until(() => source.status().stale);
  await clock.advance(29_999);
  expect(source.current().withdrawn).toBe(undefined);
  await clock.advance(1);
  expect(source.current().withdrawn).toContain("no identity for this workload");
});

test("Workload API 5.2.1: being unreachable after the denial does not prolong the grace", async () => {
  const server = await start();
  const source = await watch(server, { graceMs: 300 });
  server.deny();
  await until(() => source.status().stale);
  await server.stop();
  await generation(source, (current) => current.withdrawn !== undefined);
});

test("Workload API 4.4: an emptied message withdraws the identity at once", async () => {
  const server = await start();
  const source = await watch(server, { graceMs: HOUR });
  server.redact();
  const withdrawn = await generation(source, (current) => current.withdrawn !== undefined);
  expect(withdrawn.withdrawn).toContain("no SVID for this workload");
  server.rotate();
  await generation(source, (current) => current.withdrawn === undefined);
});

test("Workload API 4.4: an SVID that is left out is withdrawn at once, though others remain", async () => {
  const server = await start({ workloads: [{ path: "/a" }, { path: "/b", hint: "external" }] });
  const source = await watch(server, { hint: "external", graceMs: HOUR });
  server.setWorkloads([{ path: "/a" }]);
  await generation(source, (current) => current.withdrawn !== undefined);
  expect(source.context().svids).toHaveLength(1);
});

test("another SPIFFE ID is taken, since the Workload API says who we are", async () => {
  const server = await start();
  const source = await watch(server);
  server.setWorkloads([{ path: "/renamed" }]);
  const next = await generation(source, ({ number }) => number === 2);
  expect(next.identity).toBe("spiffe://example.org/renamed");
});

test("without allowIdentityChange another SPIFFE ID is refused, and the old one, no longer ours, withdrawn", async () => {
  const server = await start();
  const source = await watch(server, { allowIdentityChange: false });
  server.setWorkloads([{ path: "/renamed" }]);
  await generation(source, (current) => current.withdrawn !== undefined);
  expect(source.status().lastRefusal?.code).toBe("identity_changed");
  server.setWorkloads([{}]);
  await generation(source, (current) => current.withdrawn === undefined);
});

test("an SVID that is refused keeps the one before, with the trust of the new message", async () => {
  const server = await start({ federated: [other] });
  const source = await watch(server);
  const before = source.current();
  const stranger = other.issueX509Svid().identity.certificate;
  server.setWorkloads([{ issue: { defect: "expired" } }]);
  await until(() => source.status().stale);
  expect(source.current()).toBe(before);
  server.unfederate("other.org");
  const kept = await generation(source, ({ number }) => number === 2);
  expect(kept.leaf.sha256).toBe(before.leaf.sha256);
  expect(kept.peerTrust!.select(stranger)).toMatchObject({ code: "unknown_authority" });
  expect(source.status()).toMatchObject({ stale: true, lastRefusal: { code: "expired" } });
  expect(source.svid().certificates[0]!.sha256).toBe(before.leaf.sha256);
});

test("revocation lists of the message are in the generation, and refused when they are out of date", async () => {
  const server = await start();
  const { root } = authority.x509;
  const list = (nextUpdate: number): Uint8Array => {
    const thisUpdate = new Date(Date.now() - 2 * HOUR);
    return issueCrl(root, {
      revoked: [],
      thisUpdate,
      nextUpdate: new Date(Date.now() + nextUpdate),
      number: 1,
    }).der;
  };
  server.setCrls([list(HOUR)]);
  const source = await watch(server);
  expect(source.current().crls).toHaveLength(1);
  server.setCrls([list(-HOUR)]);
  await until(() => source.status().stale);
  expect(source.status().lastRefusal?.code).toBe("crl_expired");
  expect(source.current().number).toBe(1);
});

test("expiry shows in the status, whether or not there is a connection", async () => {
  const server = await start({ workloads: [{ ttlMs: 1_500 }] });
  const source = await watch(server);
  expect(source.status().expired).toBe(false);
  await until(() => source.status().expired);
  expect(source.workloadApi().connected).toBe(true);
});

test("a reload connects anew and settles with what came of it", async () => {
  const server = await start();
  const source = await watch(server);
  await source.reload();
  expect(server.counters.calls.FetchX509SVID).toBe(2);
  expect(source.status().stale).toBe(false);
  server.deny();
  await source.reload();
  expect(source.status().stale).toBe(true);
});

test("disposal is awaited, ends the stream and all readers, and may be repeated", async () => {
  const server = await start();
  const source = await watch(server);
  const reading = (async () => {
    for await (const _ of source.watch());
  })();
  await Promise.all([source[Symbol.asyncDispose](), source[Symbol.asyncDispose]()]);
  await reading;
  await server.until(({ open }) => open.FetchX509SVID === 0);
  expect(source.current().number).toBe(1);
  await expect(source.reload()).rejects.toMatchObject({ code: "ERR_ROTATION_CLOSED" });
});
