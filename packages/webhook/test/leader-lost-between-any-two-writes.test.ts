import type { Secret } from "@newleaf/kube";
import { expect, test } from "vitest";
import { createPlannedWebhook, DAY, type PlannedWebhook, POLICY } from "./planned-webhook.ts";

const { names, name } = POLICY;

/** From what is there before to what has to be done. */
const SCENARIOS: Readonly<Record<string, (webhook: PlannedWebhook) => Promise<void>>> = {
  "first issue": async () => {},
  renewal: async (webhook) => {
    await issue(webhook);
    webhook.now += 21 * DAY;
  },
  rollover: async (webhook) => {
    await issue(webhook);
    const authority = structuredClone(webhook.objects.get<Secret>("Secret", `${name}-ca`)!);
    authority.metadata!.annotations![names.rolloverRequested] = "now";
    webhook.objects.set(authority);
  },
  "lost authority": async (webhook) => {
    await issue(webhook);
    webhook.objects.delete("Secret", `${name}-ca`);
  },
  "lost Secrets": async (webhook) => {
    await issue(webhook);
    webhook.objects.delete("Secret", `${name}-ca`);
    webhook.objects.delete("Secret", name);
  },
};

async function issue(webhook: PlannedWebhook): Promise<void> {
  await webhook.converge();
  webhook.replicasFollow();
  webhook.writes.length = 0;
}

async function begin(scenario: keyof typeof SCENARIOS): Promise<PlannedWebhook> {
  const webhook = createPlannedWebhook();
  await SCENARIOS[scenario]?.(webhook);
  return webhook;
}

/** Another leader, who knows nothing but what the API shows. */
function takeOver(webhook: PlannedWebhook): void {
  webhook.policy = { ...POLICY, identity: "shop-1", token: "shop-1 2 b" };
  webhook.published = undefined;
}

async function countWrites(scenario: string): Promise<number> {
  const webhook = await begin(scenario);
  await webhook.converge();
  return webhook.writes.length;
}

test.each(Object.keys(SCENARIOS))(
  "%s: a leader lost after any write is followed by one that ends it",
  async (scenario) => {
    const writes = await countWrites(scenario);
    expect(writes).toBeGreaterThan(1);
    for (let after = 0; after <= writes; after++) {
      const webhook = await begin(scenario);
      await webhook.converge(after);
      takeOver(webhook);
      // Throws if any state on the way has a certificate that a caBundle does not verify.
      await webhook.converge();
      webhook.replicasFollow();
      webhook.verify();
      expect(webhook.observe().state).toMatchObject({ next: undefined, previous: [], rollover: undefined });
      expect(webhook.observe().observed.lease?.spec?.holderIdentity).toBe("shop-1");
    }
  },
);

test.each(Object.keys(SCENARIOS))(
  "%s: a write of the lost leader that lands late, anywhere in the work of the next, changes nothing",
  async (scenario) => {
    const writes = await countWrites(scenario);
    let refused = 0;
    for (let after = 0; after < writes; after++) {
      for (const later of [0, 2, 100]) {
        const webhook = await begin(scenario);
        await webhook.converge(after);
        const { step, send } = webhook.prepare();
        if (step.write === undefined) continue;
        takeOver(webhook);
        await webhook.converge(later);
        const answer = await send();
        if (!answer.ok) refused += 1;
        webhook.verify();
        await webhook.converge();
        webhook.replicasFollow();
        webhook.verify();
        expect(webhook.observe().state).toMatchObject({ next: undefined, previous: [], rollover: undefined });
      }
    }
    expect(refused).toBeGreaterThan(0);
  },
);

test("without resource versions a late write of the lost leader would take the new one's away", async () => {
  const webhook = await begin("renewal");
  await webhook.converge(0);
  const { step, send } = webhook.prepare();
  expect(step.write).toBe("serving");
  takeOver(webhook);
  await webhook.converge();
  webhook.replicasFollow();
  expect(await send()).toMatchObject({ ok: false, status: { code: 409 } });
  expect(webhook.served().sha256).toBe(webhook.observe().stored?.leaf?.sha256);
});
