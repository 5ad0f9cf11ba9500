import { status } from "@grpc/grpc-js";
import { createManualClock } from "@newleaf/testing";
import { expect, onTestFinished, test } from "vitest";
import { clientOf, errorOf, ids, start, watch } from "../../test/updates.ts";
import type { X509Context } from "../x509-context.ts";
import type { WorkloadApiUpdate } from "./workload-stream.ts";

test.each([status.INVALID_ARGUMENT, status.UNIMPLEMENTED])(
  "Workload Endpoint 6: status %s is reported and not retried",
  async (code) => {
    const server = await start();
    server.fail(code);
    const error = await errorOf(watch(clientOf(server)).next());
    expect(error).toMatchObject({ name: "SpiffeError", code: "ERR_SPIFFE_WORKLOAD_API" });
    expect(server.counters.calls.FetchX509SVID).toBe(1);
  },
);

test.each([
  [status.UNAVAILABLE, "unavailable", "ERR_SPIFFE_UNAVAILABLE"],
  [status.PERMISSION_DENIED, "permission_denied", "ERR_SPIFFE_PERMISSION_DENIED"],
  [status.CANCELLED, "unavailable", "ERR_SPIFFE_UNAVAILABLE"],
  [status.INTERNAL, "unavailable", "ERR_SPIFFE_UNAVAILABLE"],
  [status.RESOURCE_EXHAUSTED, "unavailable", "ERR_SPIFFE_UNAVAILABLE"],
  [status.UNAUTHENTICATED, "unavailable", "ERR_SPIFFE_UNAVAILABLE"],
])("Workload Endpoint 6: status %s is retried", async (code, reason, errorCode) => {
  const server = await start();
  server.fail(code);
  const updates = watch(clientOf(server));
  expect(await updates.failure()).toMatchObject({ reason, error: { code: errorCode } });
  server.recover();
  expect(ids(await updates.value())).toEqual(["spiffe://example.org/workload"]);
});

test("Workload Endpoint 6: retries back off with jitter from 0.2 s to 10 s, and begin anew after a success", async () => {
  const server = await start();
  server.fail(status.UNAVAILABLE);
  const clock = createManualClock(Date.now());
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const updates = clientOf(server, { clock }).watchX509Context(stop.signal);
  const retries: number[] = [];
  const next = async (): Promise<WorkloadApiUpdate<X509Context>> => {
    const pending = updates.next();
    await clock.advance(10_000);
    return (await pending).value as WorkloadApiUpdate<X509Context>;
  };
  for (let attempt = 0; attempt < 9; attempt++) {
    const update = await next();
    if (update.kind === "failure") retries.push(update.retryInMs);
  }
  const full = [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000];
  for (const [attempt, retryInMs] of retries.entries()) {
    expect(retryInMs).toBeGreaterThanOrEqual(full[attempt]! / 2);
    expect(retryInMs).toBeLessThanOrEqual(full[attempt]!);
  }
  expect(new Set(retries).size).toBe(9);
  server.recover();
  expect(await next()).toMatchObject({ kind: "value" });
  server.deny();
  expect(await next()).toMatchObject({ kind: "failure", retryInMs: expect.toSatisfy((ms) => ms <= 200) });
});

test("Workload Endpoint 6: who cannot be reached is tried again, and met when it starts", async () => {
  const server = await start({ started: false });
  const updates = watch(clientOf(server));
  const { reason, error } = await updates.failure();
  expect(reason).toBe("unavailable");
  expect(error.message).toMatch(/ENOENT [^ ]+api\.sock\.?$/);
  await server.start();
  let update = await updates.next();
  while (update.kind === "failure") update = await updates.next();
  expect(ids(update.value)).toEqual(["spiffe://example.org/workload"]);
});

test("Workload API 4.2: a stream that ends is opened again at once, without a word", async () => {
  const server = await start();
  // The time of which never comes: nothing that is waited for happens.
  const updates = watch(clientOf(server, { clock: createManualClock(Date.now()) }));
  await updates.value();
  server.drop();
  await updates.value();
});

test("Workload API 4.2: a server that closes every stream is not hammered", async () => {
  const server = await start();
  const updates = watch(clientOf(server));
  await updates.value();
  server.drop();
  await updates.value();
  server.drop();
  expect(await updates.failure()).toMatchObject({ reason: "unavailable" });
  await updates.value();
});

test("Workload API 4.2: the connection is established again when the agent restarts and replaces its socket", async () => {
  const server = await start();
  const updates = watch(clientOf(server));
  await updates.value();
  await server.stop();
  expect(await updates.failure()).toMatchObject({ reason: "unavailable" });
  await server.start();
  let update = await updates.next();
  while (update.kind === "failure") update = await updates.next();
  expect(server.counters.calls.FetchX509SVID).toBe(2);
});

test("Workload API 4.3: a server that takes the call and says nothing is given up in time", async () => {
  const server = await start();
  server.stall();
  const updates = watch(clientOf(server, { answerTimeoutMs: 50 }));
  expect((await updates.failure()).error.message).toMatch(/no answer within 50 ms/);
  server.recover();
  await updates.value();
  server.stall();
  const hasty = clientOf(server, { answerTimeoutMs: 50 });
  const error = await errorOf(hasty.fetchJwtSvids({ audience: "db" }));
  expect(error.code).toBe("ERR_SPIFFE_UNAVAILABLE");
});

test("Workload API 5.2.1: PermissionDenied in mid-stream is reported and retried", async () => {
  const server = await start();
  const updates = watch(clientOf(server));
  await updates.value();
  server.deny();
  expect(await updates.failure()).toMatchObject({
    reason: "permission_denied",
    error: { code: "ERR_SPIFFE_PERMISSION_DENIED" },
  });
  server.recover();
  await updates.value();
});

test("calls end with their signal", async () => {
  const server = await start();
  server.stall();
  const client = clientOf(server);
  const stop = new AbortController();
  const calls = [
    client.fetchX509Context(stop.signal),
    client.fetchJwtSvids({ audience: "db", signal: stop.signal }),
  ];
  const stream = client.watchX509Context(stop.signal).next();
  await server.until(
    ({ calls: { FetchX509SVID, FetchJWTSVID } }) => FetchX509SVID === 2 && FetchJWTSVID === 1,
  );
  stop.abort(new Error("enough"));
  for (const call of calls) await expect(call).rejects.toThrow("enough");
  expect(await stream).toEqual({ done: true, value: undefined });
});
