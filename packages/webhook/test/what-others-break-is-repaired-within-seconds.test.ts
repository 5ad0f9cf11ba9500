import { resources, valueOrThrow } from "@newleaf/kube";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createWebhookCluster, NAME, NAMES, NAMESPACE, type WebhookCluster } from "./webhook-cluster.ts";

const SECOND = 1_000;

let cluster: WebhookCluster;
beforeAll(async () => {
  cluster = await createWebhookCluster();
  cluster.start("shop-0");
  cluster.start("shop-1");
  await cluster.until(() => cluster.converged());
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(async () => {
  cluster.api.faults.clear();
  await cluster.until(() => cluster.converged());
});

const secrets = () => cluster.admin.resource(resources.secrets, { namespace: NAMESPACE });
const leases = () => cluster.admin.resource(resources.leases, { namespace: NAMESPACE });
const validating = () => cluster.admin.resource(resources.validatingWebhookConfigurations);
const bundleOf = async (): Promise<string | undefined> =>
  valueOrThrow(await validating().get("shop"), "get").webhooks?.[0]?.clientConfig.caBundle;
const wipe = (value: string | null) => {
  const body = [{ op: "add" as const, path: "/webhooks/0/clientConfig/caBundle", value }];
  return validating().patch("shop", { type: "json", body });
};
const served = (): Set<string> =>
  new Set(cluster.replicas.map(({ source }) => source!.current().leaf.sha256));

test("a deleted serving Secret", async () => {
  const before = served();
  await secrets().delete(NAME);
  await cluster.until(async () => (await cluster.secret()) !== undefined, 2 * SECOND);
  await cluster.until(() => cluster.converged(), 5 * SECOND);
  expect([...served()].some((leaf) => before.has(leaf))).toBe(false);
  expect(cluster.failures).toEqual([]);
});

test("a serving Secret whose certificate somebody replaced", async () => {
  const before = (await cluster.secret())!.data!["tls.crt"];
  const ca = (await cluster.secret(`${NAME}-ca`))!.data!["ca.crt"]!;
  await secrets().patch(NAME, { type: "merge", body: { data: { "tls.crt": ca } } });
  await cluster.until(async () => {
    const now = (await cluster.secret())!.data!["tls.crt"];
    return now !== ca && now !== before;
  }, 2 * SECOND);
  await cluster.until(() => cluster.converged(), 5 * SECOND);
  expect(cluster.failures).toEqual([]);
});

test("annotations that somebody took from the Lease, and a Lease that is gone", async () => {
  const body = { metadata: { annotations: { [NAMES.certHash]: null, [NAMES.certReady]: "false" } } };
  await leases().patch(NAME, { type: "merge", body });
  await cluster.until(
    async () => (await cluster.lease())?.metadata?.annotations?.[NAMES.certReady] === "true",
    2 * SECOND,
  );
  await leases().delete(NAME);
  await cluster.until(async () => (await cluster.lease()) !== undefined, 2 * SECOND);
  await cluster.until(() => cluster.converged(), 5 * SECOND);
});

test("a caBundle that somebody wiped, or filled with another", async () => {
  const good = await bundleOf();
  await wipe(null);
  await cluster.until(async () => (await bundleOf()) === good, 2 * SECOND);
  const other = (await cluster.secret())!.data!["tls.crt"]!;
  await wipe(other);
  await cluster.until(async () => (await bundleOf()) === good, 2 * SECOND);
  expect(cluster.failures).toEqual([]);
});

test("a webhook configuration that is created again without its caBundle", async () => {
  const { webhooks } = valueOrThrow(await validating().get("shop"), "get");
  const good = await bundleOf();
  await validating().delete("shop");
  for (const webhook of webhooks ?? []) delete webhook.clientConfig.caBundle;
  valueOrThrow(await validating().create({ metadata: { name: "shop" }, webhooks: webhooks ?? [] }), "create");
  await cluster.until(async () => (await bundleOf()) === good, 2 * SECOND);
});

test("a patch that fails is tried again, and does not keep other caBundles waiting", async () => {
  const good = await bundleOf();
  const failing = cluster.api.faults.add({
    ...{ kind: "status", code: 500, verbs: ["patch"], times: 3 },
    resources: ["validatingwebhookconfigurations"],
    user: cluster.leader()!.name,
  });
  await wipe(null);
  const mutating = cluster.admin.resource(resources.mutatingWebhookConfigurations);
  const body = [{ op: "remove" as const, path: "/webhooks/0/clientConfig/caBundle" }];
  await mutating.patch("shop", { type: "json", body });
  await cluster.until(async () => {
    const [webhook] = valueOrThrow(await mutating.get("shop"), "get").webhooks ?? [];
    return webhook?.clientConfig.caBundle === good;
  }, 2 * SECOND);
  expect(await bundleOf()).not.toBe(good);
  await cluster.until(async () => (await bundleOf()) === good, 8 * SECOND);
  expect(failing.hits).toBe(3);
});

test("a lost CA Secret becomes a rollover, in which the lost authority stays trusted to the end", async () => {
  const before = served();
  await secrets().delete(`${NAME}-ca`);
  await cluster.until(async () => (await cluster.secret(`${NAME}-ca`)) !== undefined, 2 * SECOND);
  await cluster.until(() => cluster.converged(), 30 * SECOND);
  expect([...served()].some((leaf) => before.has(leaf))).toBe(false);
  expect(cluster.failures).toEqual([]);
});

test("two who keep the same caBundle do not answer each other at full speed", async () => {
  const other = (await cluster.secret())!.data!["tls.crt"]!;
  let fights = 0;
  const end = cluster.clock.monotonic() + 10 * SECOND;
  await cluster.until(async () => {
    if ((await bundleOf()) !== other) {
      fights += 1;
      await wipe(other);
    }
    return cluster.clock.monotonic() >= end;
  }, 12 * SECOND);
  expect(fights).toBeLessThan(30);
  await cluster.until(async () => (await bundleOf()) !== other, 10 * SECOND);
  expect(cluster.failures).toEqual([]);
});
