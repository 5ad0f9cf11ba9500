import {
  createManualClock,
  createSpiffeAuthority,
  createTestAuthority,
  type ManualClock,
} from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import { parseSpiffeBundle } from "../src/bundle.ts";
import { type WatchFederatedBundleOptions, watchFederatedBundle } from "../src/federation.ts";
import { type BundleEndpointServer, startBundleEndpoint, until } from "./bundle-endpoint-server.ts";

const web = createTestAuthority({ name: "web" });
const foreign = createSpiffeAuthority({ trustDomain: "foreign.example" });
const document = (sequence: number | bigint = 1, refreshHintSeconds?: number) =>
  foreign.bundleDocument({ sequence, ...(refreshHintSeconds !== undefined && { refreshHintSeconds }) });
const startServer = (first = document()) => startBundleEndpoint(web.issue(), first);

function watch(server: BundleEndpointServer, more: Partial<WatchFederatedBundleOptions> = {}) {
  const profile = { type: "https_web", roots: web.certificates } as const;
  return watchFederatedBundle({ trustDomain: "foreign.example", url: server.url, profile, ...more });
}

/** For tests in which time jumps over what a poll may take. */
const patient = { timeoutMs: 1e9 };

/** A clock that remembers what was waited for; the deadline of a poll is `patient`. */
function createObservedClock(): ManualClock & { readonly waits: readonly number[] } {
  const clock = createManualClock(Date.now());
  const waits: number[] = [];
  const setTimeout: ManualClock["setTimeout"] = (callback, ms) => {
    if (ms !== patient.timeoutMs) waits.push(ms);
    return clock.setTimeout(callback, ms);
  };
  return { ...clock, setTimeout, waits };
}

/** Asserts that the next poll comes when this interval is over, or up to a tenth before, and no sooner. */
async function expectInterval(
  clock: ReturnType<typeof createObservedClock>,
  server: BundleEndpointServer,
  seconds: number,
): Promise<void> {
  const before = server.requests.length;
  const wait = clock.waits.at(-1);
  expect(wait).toBeGreaterThanOrEqual(seconds * 900);
  expect(wait).toBeLessThanOrEqual(seconds * 1000);
  await clock.advance(seconds * 900 - 1);
  expect(server.requests).toHaveLength(before);
  await clock.advance(seconds * 100 + 1);
  await until(() => server.requests.length === before + 1);
}

describe("Federation 4.1: the endpoint is polled as often as the refresh hint says", () => {
  test.each([
    [60, 60],
    [undefined, 300],
    [0, 300],
    [1, 10],
    [10_000_000, 86_400],
  ])("%s: every %d seconds", async (hint, seconds) => {
    const clock = createObservedClock();
    await using server = await startServer(document(1, hint));
    await using source = await watch(server, { clock, ...patient });
    await expectInterval(clock, server, seconds);
    await until(() => source.status().polls === 2);
    await expectInterval(clock, server, seconds);
  });

  test("and not always at the same moment", async () => {
    const clock = createObservedClock();
    await using server = await startServer(document(1, 60));
    await using source = await watch(server, { clock, ...patient });
    for (let polls = 0; polls < 5; polls++) await source.refresh();
    expect(new Set(clock.waits).size).toBeGreaterThan(3);
  });

  test("and a changed hint holds from the next poll on", async () => {
    const clock = createObservedClock();
    await using server = await startServer(document(1, 60));
    await using source = await watch(server, { clock, ...patient });
    server.serve(document(2, 600));
    await expectInterval(clock, server, 60);
    await until(() => source.current().sequence === 2n);
    await expectInterval(clock, server, 600);
  });
});

test("Federation 6.2: after a failed poll the bundle is kept and the next interval awaited", async () => {
  const clock = createObservedClock();
  await using server = await startServer(document(1, 60));
  await using source = await watch(server, { clock, ...patient });
  server.serve({ status: 503 });
  await expectInterval(clock, server, 60);
  await until(() => source.status().polls === 2);
  expect(source.status()).toMatchObject({
    failures: 1,
    failure: { code: "ERR_SPIFFE_FEDERATION", message: expect.stringContaining("503") },
  });
  expect(source.current().sequence).toBe(1n);
  server.serve(document(2, 60));
  await expectInterval(clock, server, 60);
  await until(() => source.status().polls === 3);
  expect(source.current().sequence).toBe(2n);
  expect(source.status()).toMatchObject({
    failures: 1,
    failure: undefined,
    lastSuccessAt: new Date(clock.now()),
  });
});

test("Federation 4.2: a lower sequence is not taken, and 64 bits are compared", async () => {
  const large = 9007199254740993n;
  await using server = await startServer(document(large));
  await using source = await watch(server);
  for (const lower of [large - 1n, 1n]) {
    server.serve(document(lower));
    await source.refresh();
    expect(source.current().sequence).toBe(large);
    expect(source.status().failure).toMatchObject({ code: "ERR_SPIFFE_BUNDLE" });
  }
  server.serve(document(large + 1n));
  await source.refresh();
  expect(source.current().sequence).toBe(large + 1n);
});

test("Federation 4.2: without a sequence the bundle that came last counts", async () => {
  await using server = await startServer(document(5));
  await using source = await watch(server);
  server.serve('{"keys":[]}');
  await source.refresh();
  expect(source.current()).toMatchObject({ sequence: undefined, x509Authorities: { certificates: [] } });
  server.serve(document(1));
  await source.refresh();
  expect(source.current().sequence).toBe(1n);
});

test("a document that cannot be used keeps the bundle", async () => {
  await using server = await startServer(document(1));
  await using source = await watch(server);
  for (const body of ["", "{}", "<html>", document(2).slice(0, -5), Buffer.from([0xff])]) {
    server.serve({ body });
    await source.refresh();
    expect(source.status().failure?.code).toBe("ERR_SPIFFE_BUNDLE");
    expect(source.current().sequence).toBe(1n);
  }
});

describe("redirects", () => {
  const moved = (location: string, status = 302) => ({ status, headers: { location } });

  test("Federation 5.2.1.4: are followed on the same host, and not remembered", async () => {
    await using server = await startServer();
    server.serve((path) => (path === "/bundle" ? moved("/other?version=1") : { body: document(2) }));
    await using source = await watch(server);
    expect(source.current().sequence).toBe(2n);
    await source.refresh();
    expect(server.requests).toEqual(["/bundle", "/other?version=1", "/bundle", "/other?version=1"]);
  });

  test("to another host, to what is no endpoint, and without end are not", async () => {
    await using elsewhere = await startServer();
    await using server = await startServer();
    const refused = async (location: string) => {
      server.serve(moved(location, 307));
      await expect(watch(server)).rejects.toMatchObject({ code: "ERR_SPIFFE_FEDERATION" });
    };
    await refused(elsewhere.url);
    await refused(`https://localhost:${server.port}/bundle`);
    await refused(`http://127.0.0.1:${server.port}/bundle`);
    await refused(`https://user@127.0.0.1:${server.port}/bundle`);
    await refused("https://");
    expect(elsewhere.requests).toEqual([]);
    expect(server.requests).toHaveLength(5);
    await refused("/again");
    expect(server.requests).toHaveLength(5 + 4);
  });
});

test("size, encoding and status of an answer are limited to what was asked for", async () => {
  await using server = await startServer(document(1));
  const refused = async (answer: Parameters<typeof server.serve>[0], why: string, maxBytes?: number) => {
    server.serve(answer);
    const rejected = expect(watch(server, maxBytes === undefined ? {} : { maxBytes })).rejects;
    await rejected.toMatchObject({ code: "ERR_SPIFFE_FEDERATION", message: expect.stringContaining(why) });
  };
  await refused(document(1), "octets", 100);
  await refused({ body: document(1), headers: { "content-encoding": "gzip" } }, "encoded");
  for (const status of [204, 304, 401, 404, 500]) await refused({ status }, `HTTP status ${status}`);
  await refused({ status: 302 }, "HTTP status 302");
});

test("a poll has a deadline", async () => {
  const clock = createManualClock(Date.now());
  await using server = await startServer(document(1));
  await using source = await watch(server, { clock, timeoutMs: 5_000 });
  server.serve(undefined);
  const refreshed = source.refresh();
  await until(() => server.requests.length === 2);
  await clock.advance(5_000);
  await refreshed;
  expect(source.status().failure?.message).toContain("within 5000 ms");
});

test("what the endpoint's URL carries as query is sent, and is in no message", async () => {
  await using server = await startServer(document(1));
  server.serve({ status: 500 });
  const error = await watch(server, { url: `${server.url}?token=secret` }).catch((thrown: unknown) => thrown);
  expect(server.requests).toEqual(["/bundle?token=secret"]);
  expect(String(error)).toContain("/bundle");
  expect(String(error)).not.toContain("secret");
});

test("an endpoint that cannot be reached is an error at first, unless a bundle is known", async () => {
  const server = await startServer();
  await server[Symbol.asyncDispose]();
  await expect(watch(server)).rejects.toMatchObject({ code: "ERR_SPIFFE_FEDERATION" });
  const bundle = parseSpiffeBundle("foreign.example", document(1));
  await using source = await watch(server, { bundle });
  expect(source.current()).toBe(bundle);
  expect(source.status()).toMatchObject({ lastSuccessAt: undefined, polls: 1, failures: 1 });
});

test("those who watch see each change once, and end with the source", async () => {
  await using server = await startServer(document(1));
  const source = await watch(server);
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const { sequence } of source.watch()) seen.push(sequence);
  })();
  await source.refresh();
  server.serve(document(2));
  await source.refresh();
  await until(() => seen.length === 2);
  await source[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
  await watching;
  expect(seen).toEqual([1n, 2n]);
  expect(source.current().sequence).toBe(2n);
  await expect(source.refresh()).rejects.toMatchObject({ code: "ERR_SPIFFE_CLOSED" });
});

test("disposal does not wait for an endpoint that never answers, and leaves no timer", async () => {
  const clock = createManualClock(Date.now());
  await using server = await startServer(document(1));
  const source = await watch(server, { clock });
  server.serve(undefined);
  const refreshed = source.refresh();
  await until(() => server.requests.length === 2);
  await source[Symbol.asyncDispose]();
  await refreshed;
  expect(clock.pending).toBe(0);
  expect(source.status()).toMatchObject({ polls: 1, failure: undefined });
});

test("the first poll ends with its signal", async () => {
  await using server = await startServer(document(1));
  server.serve(undefined);
  const controller = new AbortController();
  const watching = watch(server, { signal: controller.signal });
  await until(() => server.requests.length === 1);
  controller.abort(new Error("enough"));
  await expect(watching).rejects.toThrow("enough");
  await expect(watch(server, { signal: controller.signal })).rejects.toThrow("enough");
});
