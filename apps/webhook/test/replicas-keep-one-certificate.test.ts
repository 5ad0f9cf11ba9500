import { expect, test } from "vitest";
import { deployment } from "./manifests.ts";
import { createWebhookWorld, NAME } from "./webhook-world.ts";

const DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments";
const eventually = { timeout: 20_000, interval: 50 };

test("three replicas get a certificate from nothing, and the API server asks them", {
  timeout: 60_000,
}, async () => {
  await using world = await createWebhookWorld();
  const replicas = await Promise.all(["shop-0", "shop-1", "shop-2"].map((name) => world.replica(name)));
  await Promise.all(replicas.map(({ ready }) => ready));
  const serving = await Promise.all(replicas.map((replica) => replica.serving()));
  expect(new Set(serving).size).toBe(1);
  expect((await world.lease())?.metadata?.annotations).toMatchObject({
    "newleaf.dev/cert-ready": "true",
    "newleaf.dev/cert-hash": expect.stringMatching(/^[0-9a-f]{64}$/),
  });

  expect(await world.create(DEPLOYMENTS, deployment("good"))).toMatchObject({ status: 201, warnings: "" });
  const denied = await world.create(DEPLOYMENTS, deployment("stale", { subPath: "tls.crt" }));
  expect(denied.status).toBe(403);
  expect(denied.message).toMatch(
    /admission webhook "policy.newleaf.dev" denied the request: its certificates could not/,
  );
  expect(denied.message).toMatch(
    /\[subpath\] spec\.template\.spec\.containers\[0\]\.volumeMounts\[0\]\.subPath: .*What mends it: mount volume tls whole/,
  );
  const warned = await world.create(DEPLOYMENTS, deployment("loose", { tokenSeconds: 172_800 }));
  expect(warned).toMatchObject({ status: 201, warnings: expect.stringContaining("[token-lifetime]") });

  const metrics = (await Promise.all(replicas.map((replica) => replica.ask("/metrics")))).map(
    ({ text }) => text,
  );
  const counted = (pattern: RegExp): number =>
    metrics.reduce((sum, text) => sum + Number(pattern.exec(text)?.[1] ?? 0), 0);
  expect(counted(/^newleaf_webhook_admissions_total\{outcome="denied",kind="Deployment"\} (\d+)/m)).toBe(1);
  expect(counted(/^newleaf_webhook_findings_total\{rule="subpath",severity="deny"\} (\d+)/m)).toBe(1);
  expect(counted(/^newleaf_webhook_leader (\d)/m)).toBe(1);
  expect(counted(/^newleaf_webhook_certificate_behind (\d)/m)).toBe(0);
  expect(counted(/^newleaf_served_matches_delivered\{[^}]*\} (\d)/m)).toBe(3);
  const ready = JSON.parse((await replicas[0]!.ask("/readyz?verbose")).text);
  expect(ready.checks.leadership.details).toHaveProperty("leader");
  expect(ready.checks.lease.details).toMatchObject({ behind: false, watch: { watching: true } });
});

test("a leader that stops is followed at once, and nobody stops serving", { timeout: 60_000 }, async () => {
  await using world = await createWebhookWorld();
  const replicas = [await world.replica("shop-0"), await world.replica("shop-1")];
  await Promise.all(replicas.map(({ ready }) => ready));
  const holder = async () => (await world.lease(`${NAME}-leader`))?.spec?.holderIdentity;
  const first = await holder();
  const leader = replicas.find(({ name }) => name === first)!;
  const other = replicas.find(({ name }) => name !== first)!;
  expect(await leader.stop()).toBe(0);
  await expect.poll(holder, eventually).toBe(other.name);
  expect(leader.lines("lease not released, it is left to expire")).toEqual([]);
  expect(await world.create(DEPLOYMENTS, deployment("after"))).toMatchObject({ status: 201 });
});

test("a deleted Secret, a wiped caBundle: repaired while it serves on", { timeout: 60_000 }, async () => {
  await using world = await createWebhookWorld();
  const replica = await world.replica("shop-0");
  await replica.ready;
  await expect.poll(() => world.caBundle(), eventually).toBeTruthy();
  const serial = await replica.serving();

  world.api.store.delete("secrets", "shop", NAME);
  await expect.poll(() => world.secret(), eventually).toBeTruthy();
  await expect.poll(() => replica.serving(), eventually).not.toBe(serial);

  const bundle = world.caBundle();
  world.api.store.change(
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    undefined,
    NAME,
    (current) => {
      const [webhook] = (current as unknown as { webhooks: { clientConfig: object }[] }).webhooks;
      const clientConfig = { ...webhook!.clientConfig, caBundle: "" };
      return { ...current, webhooks: [{ ...webhook, clientConfig }] } as never;
    },
  );
  await expect.poll(() => world.caBundle(), eventually).toBe(bundle);
  expect((await replica.ask("/readyz")).status).toBe(200);
  expect(await world.create(DEPLOYMENTS, deployment("after"))).toMatchObject({ status: 201 });
});

test("certificates of seconds are renewed under admissions, none of which fails", {
  timeout: 90_000,
}, async () => {
  await using world = await createWebhookWorld();
  const lives = ["--certificate-duration", "4s", "--authority-duration", "60s", "--from-secret"];
  const replicas = [await world.replica("shop-0", lives), await world.replica("shop-1", lives)];
  await Promise.all(replicas.map(({ ready }) => ready));
  const serials = new Set<string | undefined>();
  const failed: unknown[] = [];
  let count = 0;
  const admit = async () => {
    count += 1;
    const answered = await world.create(DEPLOYMENTS, deployment(`under-${count}`));
    if (answered.status !== 201) failed.push(answered);
    serials.add(await replicas[0]!.serving());
    return serials.size;
  };
  await expect.poll(admit, { timeout: 60_000, interval: 20 }).toBeGreaterThanOrEqual(4);
  expect(failed).toEqual([]);
});

test.each(["pod", "lease"])(
  "a CA is rolled over while reviews go on: replicas acknowledge by %s and are asked by a handshake",
  { timeout: 90_000 },
  async (acknowledge) => {
    await using world = await createWebhookWorld();
    const argv = ["--from-secret", "--acknowledge", acknowledge];
    const replicas = [await world.replica("shop-0", argv), await world.replica("shop-1", argv)];
    await Promise.all(replicas.map(({ ready }) => ready));
    await expect.poll(() => world.caBundle(), eventually).toBeTruthy();
    const before = world.caBundle();
    const states = new Set<string>();
    const failed: unknown[] = [];
    world.api.store.change("secrets", "shop", `${NAME}-ca`, (secret) => ({
      ...secret,
      metadata: {
        ...secret.metadata,
        annotations: { ...secret.metadata.annotations, "newleaf.dev/rollover-requested": "true" },
      },
    }));
    const isOver = () => {
      const bundle = Buffer.from(world.caBundle() ?? "", "base64").toString();
      const old = Buffer.from(before ?? "", "base64").toString();
      return bundle !== "" && !bundle.includes(old);
    };
    let count = 0;
    const admit = async () => {
      count += 1;
      const answered = await world.create(DEPLOYMENTS, deployment(`under-${count}`));
      if (answered.status !== 201) failed.push(answered);
      for (const replica of replicas) {
        const { text } = await replica.ask("/metrics");
        const stage = /^newleaf_webhook_rollover\{stage="(\w+)"\} 1/m.exec(text)?.[1];
        if (stage !== undefined) states.add(stage);
      }
      return isOver();
    };
    await expect.poll(admit, { timeout: 60_000, interval: 5 }).toBe(true);
    expect(failed).toEqual([]);
    expect(states).toContain("trust");
    expect(await world.create(DEPLOYMENTS, deployment("after"))).toMatchObject({ status: 201 });
  },
);

test("what a review found is in the audit log of the API server", { timeout: 60_000 }, async () => {
  await using world = await createWebhookWorld();
  await (await world.replica("shop-0", ["--from-secret", "--rule", "all=warn"])).ready;
  await expect.poll(() => world.caBundle(), eventually).toBeTruthy();
  const stale = await world.create(DEPLOYMENTS, deployment("stale", { subPath: "tls.crt" }));
  expect(stale).toMatchObject({ status: 201, warnings: expect.stringContaining("[subpath]") });
  const [entry] = world.api.audit.entries.filter(
    ({ verb, resource }) => verb === "create" && resource === "deployments",
  );
  expect(entry?.annotations).toMatchObject({ "policy.newleaf.dev/warned": "subpath" });
});
