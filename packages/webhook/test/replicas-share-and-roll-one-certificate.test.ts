import { expect, test } from "vitest";
import { createWebhookCluster, NAMES } from "./webhook-cluster.ts";

const SECOND = 1_000;
const SHORT_LIVES = { leafLifeMs: 30 * SECOND, authorityLifeMs: 150 * SECOND, settleMs: 5 * SECOND };

test("three replicas get a certificate, renew it and roll its authority, and nothing is refused", async () => {
  await using cluster = await createWebhookCluster();
  for (const name of ["shop-0", "shop-1", "shop-2"]) cluster.start(name);
  await cluster.until(() => cluster.converged());
  expect(cluster.replicas.filter(({ leads }) => leads)).toHaveLength(1);
  const first = cluster.replicas.map(({ source }) => source!.current().leaf.sha256);
  expect(new Set(first).size).toBe(1);

  await cluster.requestRollover();
  await cluster.until(
    async () =>
      (await cluster.secret(`shop-webhook-ca`))?.metadata?.annotations?.[NAMES.rollover] !== undefined,
  );
  await cluster.until(() => cluster.converged());
  const second = cluster.replicas.map(({ source }) => source!.current().leaf.sha256);
  expect(new Set(second).size).toBe(1);
  expect(second[0]).not.toBe(first[0]);
  expect(cluster.failures).toEqual([]);
});

test("certificates of half a minute and authorities of two and a half go on and on", async () => {
  await using cluster = await createWebhookCluster({ defaults: SHORT_LIVES });
  for (const name of ["shop-0", "shop-1"]) cluster.start(name);
  await cluster.until(() => cluster.converged());
  const leaves = new Set<string>();
  const authorities = new Set<string>();
  const end = cluster.clock.monotonic() + 300 * SECOND;
  await cluster.until(() => {
    for (const { source } of cluster.replicas) {
      leaves.add(source!.current().leaf.sha256);
      for (const { sha256 } of source!.current().trust.certificates) authorities.add(sha256);
    }
    return cluster.clock.monotonic() > end;
  }, 310 * SECOND);
  expect(leaves.size).toBeGreaterThan(10);
  expect(authorities.size).toBeGreaterThan(2);
  expect(cluster.failures).toEqual([]);
});

test("a leader that does not give API servers the time to see a caBundle would have admissions refused", async () => {
  await using cluster = await createWebhookCluster({ defaults: { settleMs: 0 } });
  cluster.start("shop-0");
  await cluster.until(() => cluster.converged());
  await cluster.requestRollover();
  await cluster.until(() => cluster.failures.length > 0, 20 * SECOND);
});

test("where Pods may not be patched replicas say on Leases of their own what they have loaded", async () => {
  await using cluster = await createWebhookCluster({ acknowledgement: "lease" });
  for (const name of ["shop-0", "shop-1"]) cluster.start(name);
  await cluster.until(() => cluster.converged(), 180 * SECOND);
  const before = cluster.replicas[0]!.source!.current().leaf.sha256;
  await cluster.requestRollover();
  // The kubelet knows nothing of it and syncs in its own time.
  await cluster.until(
    async () =>
      cluster.replicas.every(({ source }) => source!.current().leaf.sha256 !== before) &&
      (await cluster.converged()),
    600 * SECOND,
  );
  expect(cluster.failures).toEqual([]);
});
