import type { KubeRequest } from "@newleaf/kube";
import { expect, test } from "vitest";
import { type ClusterReplica, createWebhookCluster, NAME, type WebhookCluster } from "./webhook-cluster.ts";

/** What only a leader writes. */
function isLeadersWrite({ method, path, body }: KubeRequest): boolean {
  if (method === "GET") return false;
  if (/\/secrets|webhookconfigurations/.test(path)) return true;
  if (method !== "POST") return new RegExp(`/leases/${NAME}(\\?|$)`).test(path);
  return path.includes("/leases") && JSON.parse(body ?? "{}").metadata.name === NAME;
}

/** Kills the leader when its write number `nth` is done and it does not know yet; counts them. */
function killAt(replica: ClusterReplica, nth: number): { readonly writes: number } {
  const count = { writes: 0 };
  replica.process.onCarriedOut = (request) => {
    if (!isLeadersWrite(request)) return;
    count.writes += 1;
    if (count.writes === nth) void replica.kill();
  };
  return count;
}

async function firstIssue(nth: number): Promise<{ cluster: WebhookCluster; writes: number }> {
  const cluster = await createWebhookCluster();
  const first = cluster.start("shop-0");
  const count = killAt(first, nth);
  await cluster.until(() => first.leads || !cluster.replicas.includes(first));
  cluster.start("shop-1");
  await cluster.until(() => cluster.converged());
  return { cluster, writes: count.writes };
}

async function rollover(nth: number): Promise<{ cluster: WebhookCluster; writes: number }> {
  const cluster = await createWebhookCluster();
  const first = cluster.start("shop-0");
  await cluster.until(() => first.leads);
  cluster.start("shop-1");
  await cluster.until(() => cluster.converged());
  const before = cluster.replicas.at(-1)?.source?.current().leaf.sha256;
  const count = killAt(first, nth);
  await cluster.requestRollover();
  await cluster.until(
    async () =>
      (await cluster.converged()) && cluster.replicas.at(-1)?.source?.current().leaf.sha256 !== before,
  );
  return { cluster, writes: count.writes };
}

test.each([
  ["first issue", firstIssue, 5],
  ["rollover", rollover, 14],
] as const)(
  "%s, the leader killed at each of its writes",
  async (_, scenario, expected) => {
    for (let nth = 1; nth <= expected + 1; nth++) {
      const { cluster, writes } = await scenario(nth);
      expect(cluster.failures).toEqual([]);
      expect(writes).toBe(Math.min(nth, expected));
      await cluster[Symbol.asyncDispose]();
    }
  },
  120_000,
);
