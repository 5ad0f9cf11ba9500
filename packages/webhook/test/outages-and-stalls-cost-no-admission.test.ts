import { resources } from "@newleaf/kube";
import { expect, test } from "vitest";
import { createWebhookCluster, NAME, NAMES, NAMESPACE, type WebhookCluster } from "./webhook-cluster.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

async function started(
  options: Parameters<typeof createWebhookCluster>[0] = {},
  skews: readonly number[] = [0, 0, 0],
): Promise<WebhookCluster> {
  const cluster = await createWebhookCluster(options);
  for (const [index, skewMs] of skews.entries()) cluster.start(`shop-${index}`, { skewMs });
  await cluster.until(() => cluster.converged());
  return cluster;
}

test("the API server is away for ten minutes, in the middle of a rollover", async () => {
  await using cluster = await started();
  await cluster.requestRollover();
  await cluster.until(async () => {
    const { next, rollover } = {
      next: (await cluster.secret("shop-webhook-ca"))?.data?.["next.crt"],
      rollover: true,
    };
    return rollover && next !== undefined;
  });
  for (const { process } of cluster.replicas) process.partitioned = true;
  cluster.api.restart({ history: "lost" });
  await cluster.run(10 * MINUTE);
  expect(cluster.leader()).toBeUndefined();
  for (const { process } of cluster.replicas) process.partitioned = false;
  await cluster.until(async () => {
    const annotations = (await cluster.secret("shop-webhook-ca"))?.metadata?.annotations;
    return annotations?.[NAMES.rollover] === undefined && (await cluster.converged());
  }, 5 * MINUTE);
  expect(cluster.failures).toEqual([]);
});

test("the leader's event loop stalls past its Lease, with a write on its way", async () => {
  await using cluster = await started();
  const old = cluster.leader()!;
  let stalled = false;
  old.process.onRequest = ({ method, path }) => {
    if (stalled || method === "GET" || !path.includes("webhookconfigurations")) return;
    stalled = true;
    // The check before the write has passed; the write itself is sent when the process runs again.
    old.process.stall(40 * SECOND);
  };
  await cluster.requestRollover();
  await cluster.until(() => stalled);
  await cluster.until(() => cluster.replicas.some((replica) => replica !== old && replica.leads), MINUTE);
  await cluster.until(() => cluster.converged(), 2 * MINUTE);
  await cluster.run(MINUTE);
  expect(cluster.failures).toEqual([]);
  const lease = await cluster.lease();
  expect(lease?.spec?.holderIdentity).toBe(cluster.leader()?.name);
});

test("replicas whose clocks are minutes apart share, renew and roll one certificate", async () => {
  await using cluster = await started({}, [0, 4 * MINUTE, -4 * MINUTE]);
  const before = cluster.replicas.map(({ source }) => source!.current().leaf.sha256);
  await cluster.requestRollover();
  await cluster.until(async () => {
    const [replica] = cluster.replicas;
    return replica!.source!.current().leaf.sha256 !== before[0] && (await cluster.converged());
  });
  const leaders = new Set<string>();
  for (let n = 0; n < 2; n++) {
    leaders.add(cluster.leader()!.name);
    await cluster.leader()!.kill();
    await cluster.requestRollover();
    await cluster.until(
      async () => (await cluster.converged()) && !leaders.has(cluster.leader()!.name),
      2 * MINUTE,
    );
  }
  expect(cluster.failures).toEqual([]);
});

test("a replica that is cut off holds a rollover up, is named, and is followed when it is back", async () => {
  await using cluster = await started();
  const lost = cluster.replicas.find(({ leads }) => !leads)!;
  lost.process.partitioned = true;
  await cluster.requestRollover();
  await cluster.run(2 * MINUTE);
  expect(cluster.leader()!.status).toMatchObject({ doing: "acknowledged", pending: [lost.name] });
  expect(cluster.leader()!.log).toContainEqual(
    expect.objectContaining({ level: "warn", message: "webhook certificate is held up" }),
  );
  lost.process.partitioned = false;
  cluster.api.restart();
  await cluster.until(() => cluster.converged(), 3 * MINUTE);
  expect(cluster.failures).toEqual([]);
});

test("a replica that comes between the last look and the switch is seen, because the switch is decided on fresh reads", async () => {
  await using cluster = await started();
  const pods = cluster.admin.resource(resources.pods, { namespace: NAMESPACE });
  const spec = { containers: [{ name: "webhook", image: "webhook" }] };
  await pods.create({ metadata: { name: "shop-9", labels: { app: NAME } }, spec });
  await cluster.run(SECOND);
  let came = false;
  cluster.leader()!.process.onRequest = ({ method, path }) => {
    if (came || method !== "GET" || !path.includes("/pods?") || path.includes("watch=")) return undefined;
    came = true;
    return pods.patch(
      "shop-9",
      { type: "merge", body: { status: { phase: "Running" } } },
      { subresource: "status" },
    );
  };
  await cluster.requestRollover();
  await cluster.until(() => came);
  await cluster.run(10 * SECOND);
  expect(cluster.leader()!.status).toMatchObject({ doing: "acknowledged", pending: ["shop-9"] });
  expect((await cluster.secret(`${NAME}-ca`))?.data).toHaveProperty("next.crt");
});

test("an idle webhook makes no requests but watches and election renewals", async () => {
  await using cluster = await started();
  await cluster.run(20 * SECOND);
  const before = cluster.api.audit.entries.length;
  await cluster.run(4 * MINUTE);
  const made = cluster.api.audit.entries
    .slice(before)
    .filter(({ user, name }) => user.startsWith("shop-") && name !== "shop-webhook-leader");
  expect(made.filter(({ verb }) => verb !== "watch")).toEqual([]);
});
