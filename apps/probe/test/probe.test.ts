import { allow, watchFiles } from "@newleaf/rotation";
import { expect, test } from "vitest";
import { frozenSource } from "../src/frozen-source.ts";
import { type ProbeEvent, type ProbeOptions, runProbe } from "../src/prober.ts";
import { parseProbeTarget } from "../src/target-url.ts";
import { clientNames, type MtlsServer, serverNames, startMtlsServer } from "./mtls-server.ts";

/** Probes until `until` says that enough was seen. */
async function probeUntil(
  server: MtlsServer,
  until: (events: readonly ProbeEvent[]) => boolean,
  options: Partial<ProbeOptions> = {},
) {
  const stop = new AbortController();
  const events: ProbeEvent[] = [];
  const source =
    options.source ?? (await watchFiles({ directory: server.clientVolume.directory, persistent: false }));
  const summary = await runProbe({
    target: parseProbeTarget(server.url),
    source,
    everyMs: 5,
    concurrency: 1,
    timeoutMs: 5_000,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]),
    onEvent: (event) => {
      events.push(event);
      options.onEvent?.(event);
      if (until(events)) stop.abort();
    },
    ...Object.fromEntries(Object.entries(options).filter(([key]) => key !== "onEvent")),
  });
  await source[Symbol.asyncDispose]();
  return { summary, events };
}

const successes = (events: readonly ProbeEvent[]) => events.filter(({ type }) => type === "success").length;

test("rotations of both sides are seen, and no request fails", async () => {
  await using server = await startMtlsServer();
  let rotated = 0;
  const { summary, events } = await probeUntil(server, (seen) => successes(seen) > 60, {
    concurrency: 4,
    onEvent: () => {
      rotated += 1;
      if (rotated === 10) void server.volume.write(server.authority.issue(serverNames).files());
      if (rotated === 20) void server.clientVolume.write(server.authority.issue(clientNames).files());
    },
  });
  expect(summary).toMatchObject({ failures: 0, rotations: { own: 1, server: 1 }, failuresByReason: {} });
  expect(summary.latencyMs.p50).toBeGreaterThan(0);
  const serials = new Set(
    events.flatMap((event) => (event.type === "success" ? [event.serverSerialNumber] : [])),
  );
  expect(serials.size).toBe(2);
});

test("a pause longer than a timer of Node can be does not become none", async () => {
  await using server = await startMtlsServer();
  const stop = new AbortController();
  const { summary } = await probeUntil(server, () => false, {
    everyMs: 30 * 86_400_000,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]),
    // The next request would follow within a millisecond.
    onEvent: () => void setTimeout(() => stop.abort(), 100),
  });
  expect(summary).toMatchObject({ requests: 1, failures: 0 });
});

test("keep-alive connections move with the rotation, too", async () => {
  await using server = await startMtlsServer();
  let rotated = false;
  const { summary } = await probeUntil(server, (seen) => seen.some(({ type }) => type === "rotation"), {
    keepAlive: true,
    onEvent: () => {
      if (rotated) return;
      rotated = true;
      void server.volume.write(server.authority.issue(serverNames).files());
    },
  });
  expect(summary).toMatchObject({ failures: 0, rotations: { server: 1 } });
});

test("the legacy program works until its certificate ends, and then says why it does not", async () => {
  await using server = await startMtlsServer();
  await server.clientVolume.write(server.authority.issue({ ...clientNames, ttlMs: 2_500 }).files());
  const source = await watchFiles({ directory: server.clientVolume.directory, persistent: false });
  await source[Symbol.asyncDispose]();
  await server.clientVolume.write(server.authority.issue(clientNames).files());
  const failed = (seen: readonly ProbeEvent[]) => seen.some(({ type }) => type === "failure");
  const { summary, events } = await probeUntil(server, failed, { source: frozenSource(source.current()) });
  expect(successes(events)).toBeGreaterThan(0);
  expect(summary.failuresByReason).toEqual({ client_certificate_refused: 1 });
  expect(events.at(-1)).toMatchObject({
    type: "failure",
    message: expect.stringContaining("our certificate expired"),
  });
  expect(events.some(({ type }) => type === "rotation")).toBe(false);
});

test("failures have a reason each: refused, not trusted, nobody there, HTTP, too slow", async () => {
  let status = 200;
  await using server = await startMtlsServer({ status: () => status });
  const one = () => true;
  const reason = async (options: Partial<ProbeOptions> = {}) =>
    Object.keys((await probeUntil(server, one, options)).summary.failuresByReason);
  expect(await reason()).toEqual([]);
  status = 503;
  expect(await reason()).toEqual(["http_503"]);
  expect(await reason({ target: parseProbeTarget("https://localhost:1/") })).toEqual(["connection_refused"]);
  expect(await reason({ authorizeServer: allow.uri("spiffe://shop/other") })).toEqual(["server_not_trusted"]);
  expect(await reason({ timeoutMs: 1 })).toEqual(["timeout"]);
  await using strict = await startMtlsServer({ authorize: allow.dns("somebody-else") });
  const { summary } = await probeUntil(strict, one);
  expect(summary.failuresByReason).toEqual({ client_certificate_refused: 1 });
});

test("workers keep to the interval and stop at the end of the time", async () => {
  await using server = await startMtlsServer();
  const { summary } = await probeUntil(server, () => false, { everyMs: 100, forMs: 450, concurrency: 2 });
  expect(summary.requests).toBeGreaterThanOrEqual(2);
  expect(summary.requests).toBeLessThanOrEqual(10);
  expect(summary.failures).toBe(0);
});
