import { status } from "@grpc/grpc-js";
import {
  createManualClock,
  createSpiffeAuthority,
  type ManualClock,
  startWorkloadApi,
  type WorkloadApiOptions,
  type WorkloadApiServer,
} from "@newleaf/testing";
import { expect, onTestFinished, test } from "vitest";
import { type JwtSource, type WatchJwtOptions, watchJwt } from "./jwt-source.ts";

const MINUTE = 60_000;
const authority = createSpiffeAuthority();
const other = createSpiffeAuthority({ trustDomain: "other.org" });

async function start(options: Partial<WorkloadApiOptions> = {}): Promise<WorkloadApiServer> {
  const server = await startWorkloadApi({ authority, ...options });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function watch(server: WorkloadApiServer, options: WatchJwtOptions = {}): Promise<JwtSource> {
  const source = await watchJwt({ address: server.address, ...options });
  onTestFinished(() => source[Symbol.asyncDispose]());
  return source;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${condition}`);
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The agent's clock and the workload's are one and stand still. */
async function startWithClock(): Promise<{
  server: WorkloadApiServer;
  source: JwtSource;
  clock: ManualClock;
}> {
  const clock = createManualClock(Math.floor(Date.now() / 1000) * 1000);
  const server = await start({ authority: createSpiffeAuthority({ now: clock.now }) });
  return { server, source: await watch(server, { clock }), clock };
}

test("a JWT-SVID is fetched once for each audience and ID", async () => {
  const server = await start({ workloads: [{ path: "/a" }, { path: "/b", hint: "external" }] });
  const source = await watch(server);
  const first = await source.svid({ audience: "db" });
  expect(`${first.id}`).toBe("spiffe://example.org/a");
  expect(await source.svid({ audience: "db" })).toBe(first);
  expect((await source.svid({ audience: ["x", "y"] })).audience).toEqual(["x", "y"]);
  await source.svid({ audience: ["y", "x"] });
  expect(`${(await source.svid({ audience: "db", id: "spiffe://example.org/b" })).id}`).toMatch(/b$/);
  expect(server.counters.calls.FetchJWTSVID).toBe(3);
  const external = await watch(server, { hint: "external" });
  expect(`${(await external.svid({ audience: "db" })).id}`).toBe("spiffe://example.org/b");
});

test("callers at the same time share one call", async () => {
  const server = await start();
  const source = await watch(server);
  const svids = await Promise.all([1, 2, 3].map(() => source.svid({ audience: "db" })));
  expect(new Set(svids).size).toBe(1);
  expect(server.counters.calls.FetchJWTSVID).toBe(1);
});

test("past half of its life it is renewed in the background, and past its end not answered", async () => {
  const { server, source, clock } = await startWithClock();
  const first = await source.svid({ audience: "db" });
  await clock.advance(2.4 * MINUTE);
  expect(await source.svid({ audience: "db" })).toBe(first);
  expect(server.counters.calls.FetchJWTSVID).toBe(1);
  await clock.advance(0.2 * MINUTE);
  expect(await source.svid({ audience: "db" })).toBe(first);
  await server.until(({ calls }) => calls.FetchJWTSVID === 2);
  let second = first;
  while (second === first) {
    await turn();
    second = await source.svid({ audience: "db" });
  }
  expect(second.expiresAt.getTime()).toBeGreaterThan(first.expiresAt.getTime());
  server.fail(status.UNAVAILABLE);
  await clock.advance(4 * MINUTE);
  expect(await source.svid({ audience: "db" })).toBe(second);
  await clock.advance(2 * MINUTE);
  await expect(source.svid({ audience: "db" })).rejects.toMatchObject({ code: "ERR_SPIFFE_UNAVAILABLE" });
});

test("Workload API 6.2.1: a token that is denied at its renewal is used no longer", async () => {
  const { server, source, clock } = await startWithClock();
  await source.svid({ audience: "db" });
  server.deny();
  await clock.advance(3 * MINUTE);
  await source.svid({ audience: "db" });
  await server.until(({ calls }) => calls.FetchJWTSVID === 2);
  let error: unknown;
  while (error === undefined) {
    await turn();
    error = await source.svid({ audience: "db" }).then(
      () => undefined,
      (why: unknown) => why,
    );
  }
  expect(error).toMatchObject({ code: "ERR_SPIFFE_PERMISSION_DENIED" });
});

test("a watched JWT-SVID is renewed at half of its life, and failures are told and retried", async () => {
  const { server, source, clock } = await startWithClock();
  const updates = source.watchSvid({ audience: "db" });
  const first = (await updates.next()).value!;
  expect(first).toMatchObject({ kind: "value" });
  let next = updates.next();
  await clock.advance(2.4 * MINUTE);
  expect(server.counters.calls.FetchJWTSVID).toBe(1);
  await clock.advance(0.2 * MINUTE);
  expect((await next).value).toMatchObject({ kind: "value" });
  server.deny();
  next = updates.next();
  await clock.advance(2.5 * MINUTE);
  expect((await next).value).toMatchObject({ kind: "failure", reason: "permission_denied" });
  server.recover();
  next = updates.next();
  await clock.advance(1_000);
  expect((await next).value).toMatchObject({ kind: "value" });
});

test("watching ends with its signal and with the source, and a call refused for good is thrown", async () => {
  const server = await start();
  const source = await watch(server);
  const stop = new AbortController();
  const one = source.watchSvid({ audience: "db", signal: stop.signal });
  const two = source.watchSvid({ audience: "db" });
  await Promise.all([one.next(), two.next()]);
  const ends = [one.next(), two.next()];
  stop.abort();
  expect(await ends[0]).toMatchObject({ done: true });
  server.fail(status.UNIMPLEMENTED);
  await expect(source.watchSvid({ audience: "other" }).next()).rejects.toMatchObject({
    code: "ERR_SPIFFE_WORKLOAD_API",
  });
  await source[Symbol.asyncDispose]();
  expect(await ends[1]).toMatchObject({ done: true });
  await expect(source.svid({ audience: "db" })).rejects.toMatchObject({ code: "ERR_SPIFFE_CLOSED" });
  await server.until(({ open }) => open.FetchJWTBundles === 0);
});

test("Workload API 6.3: a token verifies to the bundle of its own trust domain, and none without it", async () => {
  const server = await start({ federated: [other] });
  const source = await watch(server);
  const token = await other.issueJwtSvid({ audience: "db" });
  expect(await source.verify(token, { audience: "db" })).toMatchObject({ ok: true });
  expect(await source.verify(token, { audience: "web" })).toMatchObject({
    ok: false,
    code: "wrong_audience",
  });
  server.unfederate("other.org");
  await until(() => !source.bundles().has("other.org"));
  expect(await source.verify(token, { audience: "db" })).toMatchObject({
    ok: false,
    code: "unknown_authority",
  });
});

test("Workload API 6.2.2: denied bundles are used no longer than the grace, and new ones end that", async () => {
  const server = await start();
  const source = await watch(server, { graceMs: 50 });
  const token = await authority.issueJwtSvid({ audience: "db" });
  server.deny();
  await until(() => source.bundles().size === 0);
  expect(await source.verify(token, { audience: "db" })).toMatchObject({
    ok: false,
    code: "unknown_authority",
  });
  server.recover();
  await until(() => source.bundles().size === 1);
});

test("Workload API 6.2.1: once the workload was denied for the grace, its tokens are used no longer", async () => {
  const server = await start();
  const source = await watch(server, { graceMs: 50 });
  await source.svid({ audience: "db" });
  server.deny();
  await until(() => source.bundles().size === 0);
  await expect(source.svid({ audience: "db" })).rejects.toMatchObject({
    code: "ERR_SPIFFE_PERMISSION_DENIED",
  });
});

test("Workload API 6.2.2: an emptied message takes the bundles away at once; readers get the latest", async () => {
  const server = await start();
  const source = await watch(server, { graceMs: 60 * MINUTE });
  const reader = source.watchBundles();
  expect((await reader.next()).value?.size).toBe(1);
  server.redact();
  expect((await reader.next()).value?.size).toBe(0);
});

test("bundles are kept while the agent is away", async () => {
  const server = await start();
  const source = await watch(server, { graceMs: 0 });
  await server.stop();
  await until(() => source.workloadApi().failures >= 2);
  expect(source.bundles().size).toBe(1);
  server.federate(other);
  await server.start();
  await until(() => source.bundles().size === 2);
});
