import type { KubeObject, Lease, Secret } from "@newleaf/kube";
import { expect, test } from "vitest";
import { createPlannedWebhook, DAY, type PlannedWebhook, POLICY, SECOND } from "../test/planned-webhook.ts";
import { planLeader } from "./leader-plan.ts";

const { names, name } = POLICY;

async function issued(): Promise<PlannedWebhook> {
  const webhook = createPlannedWebhook();
  await webhook.converge();
  webhook.replicasFollow();
  webhook.writes.length = 0;
  return webhook;
}

const secret = (webhook: PlannedWebhook, of: string = name): Secret =>
  structuredClone(webhook.objects.get<Secret>("Secret", of)!);

test("the first issue: authority, every caBundle, then the Secret, then the Lease", async () => {
  const webhook = createPlannedWebhook();
  await webhook.converge();
  expect(webhook.writes).toEqual(["create", "bundle", "bundle", "issue", "lease"]);
  const { spec, metadata } = webhook.objects.get<Lease>("Lease", name)!;
  expect(spec?.holderIdentity).toBe("shop-0");
  expect(metadata?.annotations).toMatchObject({
    [names.certReady]: "true",
    [names.certHash]: expect.stringMatching(/^[0-9a-f]{64}$/),
    [names.certValidUntil]: "2030-01-31T00:00:05.000Z",
  });
});

test("nothing is issued before API servers have had the time to see the caBundles", async () => {
  const webhook = createPlannedWebhook();
  for (let n = 0; n < 3; n++) await webhook.step();
  webhook.published = undefined;
  await webhook.step();
  expect(planLeader(webhook.observe())).toMatchObject({ waitingFor: "settled", forMs: 5 * SECOND });
});

test("renewal at two thirds of the life, counted from the issue", async () => {
  const webhook = await issued();
  const before = webhook.served();
  webhook.now += 18 * DAY;
  expect(await webhook.step()).toMatchObject({ waitingFor: "renewal" });
  webhook.now += 2 * DAY + 10 * SECOND;
  await webhook.converge();
  expect(webhook.writes).toEqual(["issue", "lease"]);
  webhook.replicasFollow();
  expect(webhook.served().sha256).not.toBe(before.sha256);
});

test("a rollover: new trust everywhere, acknowledged, switched, proved, dropped, let go", async () => {
  const webhook = await issued();
  const authority = secret(webhook, `${name}-ca`);
  authority.metadata = {
    ...authority.metadata,
    annotations: { ...authority.metadata?.annotations, [names.rolloverRequested]: "now" },
  };
  webhook.objects.set(authority);
  await webhook.converge();
  const publish = ["bundle", "bundle", "ca.crt", "lease"];
  expect(webhook.writes).toEqual([
    ...["start", ...publish],
    ...["switch", "issue", "lease"],
    ...["drop", ...publish],
    "retire",
  ]);
  expect(secret(webhook, `${name}-ca`).metadata?.annotations).not.toHaveProperty(names.rolloverRequested);
});

test("an authority rolls at two thirds of its own life, and leaves go on meanwhile", async () => {
  const webhook = await issued();
  for (let days = 0; days < 365; days++) {
    webhook.now += DAY;
    await webhook.converge();
    webhook.replicasFollow();
    expect(webhook.now).toBeLessThan(webhook.served().notAfter.getTime());
  }
  expect(webhook.writes.filter((write) => write === "switch")).toHaveLength(1);
  expect(webhook.writes.filter((write) => write === "issue").length).toBeGreaterThan(17);
});

test("a replica that never acknowledges holds the rollover up, and costs nobody anything", async () => {
  const webhook = await issued();
  webhook.now += 243 * DAY;
  const [lame] = webhook.replicas;
  const stuck = { ...lame };
  for (let n = 0; n < 60; n++) {
    await webhook.step();
    webhook.replicasFollow();
    Object.assign(lame!, { ...stuck, leaf: webhook.replicas[1]?.leaf });
    if (webhook.published) webhook.published = { ...webhook.published, forMs: 10 * SECOND };
  }
  expect(await webhook.step()).toMatchObject({ waitingFor: "acknowledged", pending: ["shop-0"] });
  expect(webhook.writes).not.toContain("switch");
});

test("a rollover held up for a year ends before the authority does: its last certificate is not let run out", async () => {
  const webhook = await issued();
  const [lame, ...others] = webhook.replicas;
  for (let days = 0; days < 370; days++) {
    webhook.now += DAY;
    for (let n = 0; n < 12; n++) {
      await webhook.step();
      const before = { ...lame! };
      webhook.replicasFollow();
      // It serves what it is given and never says that it has the new trust.
      Object.assign(lame!, { caHash: before.caHash });
      if (webhook.published) webhook.published = { ...webhook.published, forMs: 10 * SECOND };
    }
    expect(webhook.now).toBeLessThan(others[0]!.leaf!.notAfter.getTime());
  }
  expect(webhook.writes).toContain("switch");
});

test("a new leader fences every object that is there before it writes anything else", async () => {
  const webhook = await issued();
  webhook.policy = { ...POLICY, identity: "shop-1", token: "shop-1 2 b" };
  await webhook.converge();
  expect(webhook.writes).toEqual(["fence", "fence", "fence"]);
  expect(webhook.objects.get<Lease>("Lease", name)?.spec?.holderIdentity).toBe("shop-1");
});

test.each([
  ["deleted", (webhook: PlannedWebhook) => webhook.objects.delete("Secret", name), ["issue", "lease"]],
  ["corrupt", spoil("tls.crt", "AAAA"), ["issue", "lease"]],
  ["with another key", spoil("tls.key", "AAAA"), ["issue", "lease"]],
  ["without its bundle", spoil("ca.crt", ""), ["ca.crt"]],
])("a serving Secret that is %s is repaired at once", async (_, break_, writes) => {
  const webhook = await issued();
  break_(webhook);
  await webhook.converge();
  expect(webhook.writes).toEqual(writes);
});

test("a serving Secret with other names, or of another authority, is issued anew", async () => {
  const webhook = await issued();
  webhook.policy = { ...POLICY, serving: { dnsNames: ["other.shop.svc"] } };
  await webhook.converge();
  expect(webhook.writes).toEqual(["issue", "lease"]);
  const stranger = await issued();
  webhook.objects.set(secret(stranger));
  await webhook.converge();
  expect(webhook.writes.slice(2)).toEqual(["issue", "lease"]);
});

test("a Lease whose annotation is missing, and a wiped caBundle, are written again", async () => {
  const webhook = await issued();
  const lease = structuredClone(webhook.objects.get<Lease>("Lease", name)!);
  delete lease.metadata?.annotations?.[names.certHash];
  webhook.objects.set(lease);
  webhook.objects.set({
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "shop" },
    webhooks: [{ name: "a.shop", clientConfig: {} }],
  } as KubeObject);
  await webhook.step();
  await webhook.step();
  expect(webhook.writes).toEqual(["bundle", "lease"]);
});

test("a lost authority is followed by another, and stays trusted until nobody serves its certificate", async () => {
  const webhook = await issued();
  const before = webhook.served();
  webhook.objects.delete("Secret", `${name}-ca`);
  await webhook.converge();
  expect(webhook.writes).toEqual([
    ...["restore", "bundle", "bundle", "ca.crt", "lease"],
    ...["switch", "issue", "lease"],
    ...["drop", "bundle", "bundle", "ca.crt", "lease"],
    "retire",
  ]);
  expect(webhook.served().sha256).not.toBe(before.sha256);
});

test("a damaged key of the authority is a lost one; a damaged next authority is left out", async () => {
  const webhook = await issued();
  const authority = secret(webhook, `${name}-ca`);
  webhook.objects.set({ ...authority, data: { ...authority.data, "ca.key": "AAAA" } } as Secret);
  await webhook.converge();
  expect(webhook.writes[0]).toBe("restore");
  expect(webhook.writes.at(-1)).toBe("retire");
  const again = secret(webhook, `${name}-ca`);
  webhook.objects.set({ ...again, data: { ...again.data, "next.crt": "AAAA" } } as Secret);
  webhook.writes.length = 0;
  await webhook.converge();
  expect(webhook.writes).toEqual(["repair"]);
});

/** Steps of a rollover up to this one, with replicas that have loaded nothing since. */
async function rollUpTo(until: string, webhook: PlannedWebhook): Promise<void> {
  const authority = secret(webhook, `${name}-ca`);
  const annotations = { ...authority.metadata?.annotations, [names.rolloverRequested]: "now" };
  webhook.objects.set({ ...authority, metadata: { ...authority.metadata, annotations } });
  while (webhook.writes.at(-1) !== until) await webhook.converge(1);
  webhook.writes.length = 0;
}

test.each([
  ["is missing", undefined],
  ["is damaged", "AAAA"],
])("an old authority that %s while its certificate is served stays trusted", async (_, content) => {
  const webhook = await issued();
  await rollUpTo("switch", webhook);
  const { data, ...authority } = secret(webhook, `${name}-ca`);
  const { "previous.crt": _old, ...rest } = data ?? {};
  const changed = content === undefined ? rest : { ...rest, "previous.crt": content };
  webhook.objects.set({ ...authority, data: changed } as Secret);
  // Verifies after each write what is served with what is trusted.
  await webhook.converge();
  expect(webhook.writes.slice(0, 3)).toEqual(["repair", "issue", "lease"]);
  expect(webhook.writes.at(-1)).toBe("retire");
});

test("a CA Secret that is restored from a backup begins a rollover: its authority is trusted by nobody yet", async () => {
  const backup = secret(await issued(), `${name}-ca`);
  const webhook = await issued();
  const { metadata = {} } = secret(webhook, `${name}-ca`);
  webhook.objects.set({ ...backup, metadata });
  await webhook.converge();
  expect(webhook.writes.slice(0, 3)).toEqual(["restore", "bundle", "bundle"]);
  expect(webhook.writes.at(-1)).toBe("retire");
});

test.each(["start", "switch", "drop", "retire"])(
  "a backup of before a rollover, restored after its %s, costs no admission",
  async (until) => {
    const webhook = await issued();
    const { data } = secret(webhook, `${name}-ca`);
    await rollUpTo(until, webhook);
    webhook.objects.set({ ...secret(webhook, `${name}-ca`), data } as Secret);
    await webhook.converge();
    webhook.replicasFollow();
    webhook.verify();
    expect(webhook.observe().state).toMatchObject({ next: undefined, previous: [], rollover: undefined });
  },
);

test("a backup of the middle of a rollover: its signer, of which everybody has let go, signs once it is trusted again", async () => {
  const webhook = await issued();
  await rollUpTo("start", webhook);
  const { data } = secret(webhook, `${name}-ca`);
  await rollUpTo("retire", webhook);
  webhook.objects.set({ ...secret(webhook, `${name}-ca`), data } as Secret);
  await webhook.step();
  await webhook.step();
  webhook.replicasFollow();
  expect(await webhook.step()).toMatchObject({ waitingFor: "settled" });
  await webhook.converge();
  expect(webhook.observe().state).toMatchObject({ next: undefined, previous: [], rollover: undefined });
});

test("with every Secret lost, the authority of the caBundles stays trusted and another one begins", async () => {
  const webhook = await issued();
  webhook.objects.delete("Secret", `${name}-ca`);
  webhook.objects.delete("Secret", name);
  await webhook.converge();
  expect(webhook.writes.slice(0, 5)).toEqual(["restore", "bundle", "bundle", "switch", "issue"]);
});

test("without replicas to ask, an old authority goes when its last certificate has expired", async () => {
  const webhook = await issued();
  webhook.now += 243 * DAY;
  await webhook.converge();
  const started = webhook.now;
  const observe = webhook.observe.bind(webhook);
  webhook.observe = () => {
    const found = observe();
    return { ...found, observed: { ...found.observed, replicas: undefined } };
  };
  const authority = secret(webhook, `${name}-ca`);
  authority.metadata!.annotations![names.rolloverRequested] = "";
  webhook.objects.set(authority);
  await webhook.converge();
  expect(webhook.writes).toContain("drop");
  expect(webhook.now - started).toBeGreaterThan(DAY);
});

function spoil(file: string, content: string): (webhook: PlannedWebhook) => void {
  return (webhook) => {
    const broken = secret(webhook);
    webhook.objects.set({ ...broken, data: { ...broken.data, [file]: content } } as Secret);
  };
}
