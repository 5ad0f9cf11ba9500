import { expect, test } from "vitest";
import { createWebhookCluster, NAME, NAMES, NAMESPACE } from "./webhook-cluster.ts";

test("a leader whose election Lease was deleted does not take the objects back from its successor", async () => {
  await using cluster = await createWebhookCluster();
  cluster.start("shop-0");
  await cluster.until(() => cluster.converged());
  const marks: string[] = [];
  cluster.api.store.table.subscribe("secrets", ({ object }) => {
    const mark = object.metadata.annotations?.[NAMES.leader];
    if (mark !== undefined && mark !== marks.at(-1)) marks.push(mark);
  });
  cluster.api.store.delete("leases.coordination.k8s.io", NAMESPACE, `${NAME}-leader`);
  // Has never seen the Lease, so it does not wait for the end of it.
  const successor = cluster.start("shop-1");
  await cluster.until(async () => successor.leads && (await cluster.converged()));
  await cluster.run(20_000);
  expect(marks).toEqual([expect.stringContaining("shop-1")]);
  expect(cluster.failures).toEqual([]);
});

test("a mark that nobody leads under is replaced once the leader is confirmed", async () => {
  await using cluster = await createWebhookCluster();
  cluster.start("shop-0");
  await cluster.until(() => cluster.converged());
  const mark = (): string | undefined =>
    cluster.api.store.get("secrets", NAMESPACE, NAME)?.metadata.annotations?.[NAMES.leader];
  const own = mark();
  cluster.api.store.change("secrets", NAMESPACE, NAME, (secret) => ({
    ...secret,
    metadata: { ...secret.metadata, annotations: { [NAMES.leader]: "shop-9 9 x" } },
  }));
  await cluster.until(() => mark() === own, 10_000);
});
