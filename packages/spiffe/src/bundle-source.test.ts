import { createSpiffeAuthority, startWorkloadApi } from "@newleaf/testing";
import { expect, test } from "vitest";
import { watchBundles } from "./bundle-source.ts";

const authority = createSpiffeAuthority();
const other = createSpiffeAuthority({ trustDomain: "other.org" });

test("Workload API 5.2.2: bundles are followed, each message the whole of them", async () => {
  await using server = await startWorkloadApi({ authority, federated: [other] });
  await using source = await watchBundles({ address: server.address });
  expect([...source.bundles().keys()]).toEqual(["example.org", "other.org"]);
  const reader = source.watch();
  await reader.next();
  server.unfederate("other.org");
  expect([...(await reader.next()).value.bundles.keys()]).toEqual(["example.org"]);
  expect(source.context()).toMatchObject({ crls: [], warnings: [] });
});

test("Workload API 5.2.2: denied bundles are unloaded after the grace, and an emptied message's at once", async () => {
  await using server = await startWorkloadApi({ authority });
  await using source = await watchBundles({ address: server.address, graceMs: 50 });
  const reader = source.watch(AbortSignal.timeout(10_000));
  await reader.next();
  server.deny();
  expect((await reader.next()).value.bundles.size).toBe(0);
  server.recover();
  expect((await reader.next()).value.bundles.size).toBe(1);
  server.redact();
  expect((await reader.next()).value.bundles.size).toBe(0);
});

test("an authority's rollover arrives, by reload too", async () => {
  const rolling = createSpiffeAuthority();
  await using server = await startWorkloadApi({ authority: rolling });
  await using source = await watchBundles({ address: server.address });
  rolling.prepare();
  await source.reload();
  expect(source.bundles().get("example.org")!.certificates).toEqual(rolling.x509Authorities);
  expect(server.counters.calls.FetchX509Bundles).toBe(2);
});

test("without an agent it rejects in time, or with its signal", async () => {
  const options = { address: "unix:///nonexistent/newleaf.sock", waitMs: 200 };
  await expect(watchBundles(options)).rejects.toMatchObject({ code: "ERR_SPIFFE_UNAVAILABLE" });
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(watchBundles({ ...options, signal })).rejects.toThrow("enough");
  await expect(watchBundles({})).rejects.toMatchObject({ code: "ERR_SPIFFE_ADDRESS" });
});

test("what happens is logged once for each outage", async () => {
  const lines: string[] = [];
  const log = (_: object, message: string): void => void lines.push(message);
  const logger = { debug: () => {}, info: log, warn: log, error: log };
  await using server = await startWorkloadApi({ authority });
  await using source = await watchBundles({ address: server.address, logger });
  await server.stop();
  while (source.workloadApi().failures < 3) await new Promise((resolve) => setImmediate(resolve));
  await server.start();
  while (!source.workloadApi().connected) await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toEqual(["workload API has no news, keeping the last", "workload API answers again"]);
});
