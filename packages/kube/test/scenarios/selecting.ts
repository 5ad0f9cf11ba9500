import { type KubeObject, resources, selectFields } from "@newleaf/kube";
import { expect } from "vitest";
import { deployment } from "./objects.ts";
import { deadline, ok, refusal, type Scenario, type ScenarioContext, summary, take } from "./scenario.ts";

// Of a real server the selected fields come in protobuf, and whole objects in JSON.
const metadata = {
  name: true,
  namespace: true,
  uid: true,
  resourceVersion: true,
  generation: true,
  labels: true,
  annotations: true,
  creationTimestamp: true,
  deletionTimestamp: true,
  deletionGracePeriodSeconds: true,
  finalizers: true,
  ownerReferences: true,
} as const;
const ofDeployments = {
  metadata,
  spec: {
    replicas: true,
    paused: true,
    selector: true,
    strategy: true,
    minReadySeconds: true,
    template: {
      metadata: { labels: true },
      spec: { containers: { name: true, image: true, args: true, resources: { limits: true } } },
    },
  },
  status: true,
} as const;
const ofSecrets = { metadata: { ...metadata, labels: { kept: true } }, data: true, type: true } as const;
const ofLeases = { metadata, spec: true } as const;

const deployments = selectFields(resources.deployments, ofDeployments);
const secrets = selectFields(resources.secrets, ofSecrets);
const leases = selectFields(resources.leases, ofLeases);

async function createDeployments({ of }: ScenarioContext): Promise<void> {
  const all = of(resources.deployments);
  ok(await all.create(deployment("absent")));
  ok(await all.create(deployment("zero", { replicas: 0, paused: true, minReadySeconds: 3 })));
  const odd = deployment("odd", {
    replicas: 2,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "30%", maxUnavailable: 0 } },
    template: {
      metadata: { labels: { app: "odd" } },
      spec: {
        containers: [
          { name: "one", image: "example.com/eins:1", args: ["", "ä🌱"] },
          { name: "two", image: "example.com/two:1", resources: { limits: { cpu: "1500m", memory: "1Gi" } } },
        ],
      },
    },
  });
  odd.metadata = {
    ...odd.metadata,
    annotations: { "example.com/note": "grün\n日本語", "example.com/empty": "" },
  };
  odd.metadata.finalizers = ["example.com/wait"];
  ok(await all.create(odd));
  const status = {
    observedGeneration: 1,
    replicas: 2,
    unavailableReplicas: 2,
    conditions: [
      { type: "Available", status: "False", reason: "None", lastUpdateTime: "2026-01-02T03:04:05Z" },
    ],
  };
  ok(await all.patch("odd", { type: "merge", body: { status } }, { subresource: "status" }));
  ok(await all.delete("odd"));
}

/** By hand: what of an object in JSON the selection is. Null is absent. */
function pick(value: unknown, selection: unknown): unknown {
  if (Array.isArray(value)) return value.map((member) => pick(member, selection));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .filter(
      ([name, part]) => part !== null && (selection === true || Object.hasOwn(selection as object, name)),
    )
    .map(([name, part]) => [
      name,
      pick(part, selection === true || (selection as Record<string, unknown>)[name]),
    ]);
  return Object.fromEntries(entries);
}

function picked({ apiVersion, kind, ...rest }: KubeObject, selection: object): object {
  return { apiVersion, kind, ...(pick(rest, selection) as object) };
}

export const selecting: readonly Scenario[] = [
  {
    name: "fields: a list and a get have the selected ones as JSON has them, zero and absent told apart",
    async run(context) {
      await createDeployments(context);
      const selected = context.admin.resource(deployments, context);
      const whole = ok(await context.of(resources.deployments).list());
      const { items, metadata: ofList } = ok(await selected.list());
      expect(items).toStrictEqual(whole.items.map((item) => picked(item, ofDeployments)));
      expect(items.map(({ spec }) => spec?.replicas)).toEqual([1, 2, 0]);
      expect(ofList).toEqual(whole.metadata);
      for (const item of items) expect(ok(await selected.get(item.metadata?.name ?? ""))).toStrictEqual(item);
    },
  },
  {
    name: "fields: pages and an empty list, with their metadata",
    async run(context) {
      const selected = context.admin.resource(deployments, context);
      expect(ok(await selected.list())).toMatchObject({
        items: [],
        metadata: { resourceVersion: expect.stringMatching(/^\d+$/) },
      });
      await createDeployments(context);
      const page = ok(await selected.list({ limit: 2 }));
      expect(page.items).toHaveLength(2);
      expect(page.metadata.remainingItemCount).toBe(1);
      const rest = ok(await selected.list({ limit: 2, continue: page.metadata.continue ?? "" }));
      expect(rest.items.map((item) => item.metadata?.name)).toEqual(["zero"]);
      expect(rest.metadata.continue).toBeUndefined();
    },
  },
  {
    name: "fields: a watch tells the same events as one of whole objects",
    async run(context) {
      const all = context.of(resources.deployments);
      const { resourceVersion } = ok(await all.list()).metadata;
      const options = { resourceVersion, signal: deadline() };
      const whole = ok(await all.watch(options));
      const selected = ok(await context.admin.resource(deployments, context).watch(options));
      await createDeployments(context);
      ok(await all.patch("odd", { type: "merge", body: { metadata: { finalizers: null } } }));
      const expected = await take(whole, 6);
      const events = await take(selected, 6);
      expect(summary(events)).toEqual(summary(expected));
      expect(summary(events).at(-1)).toBe("DELETED odd");
      expect(events).toStrictEqual(
        expected.map((event) =>
          "object" in event ? { ...event, object: picked(event.object, ofDeployments) } : event,
        ),
      );
      await Promise.all([whole.return?.(), selected.return?.()]);
    },
  },
  {
    name: "fields: initial events end with a bookmark, and an expired version is an ERROR",
    async run(context) {
      await createDeployments(context);
      const selected = context.admin.resource(deployments, context);
      const stream = ok(
        await selected.watch({
          sendInitialEvents: true,
          resourceVersionMatch: "NotOlderThan",
          allowWatchBookmarks: true,
          signal: deadline(),
        }),
      );
      expect(await take(stream, 4)).toMatchObject([
        { type: "ADDED" },
        { type: "ADDED" },
        { type: "ADDED" },
        { type: "BOOKMARK", resourceVersion: expect.stringMatching(/^\d+$/), initialEventsEnd: true },
      ]);
      await stream.return?.();
      await context.forgetHistory();
      const expired = ok(await selected.watch({ resourceVersion: "1", signal: deadline() }));
      expect(await take(expired, 1)).toMatchObject([
        {
          type: "ERROR",
          status: {
            code: 410,
            reason: "Expired",
            message: expect.stringMatching(/^too old resource version: 1 /),
          },
        },
      ]);
      await expired.return?.();
    },
  },
  {
    name: "fields: refusals say what they say in JSON",
    async run(context) {
      const whole = context.of(resources.deployments);
      const selected = context.admin.resource(deployments, context);
      const refusals = async (from: Pick<typeof selected, "get" | "list" | "watch">) =>
        [
          refusal(await from.get("nope")),
          refusal(await from.list({ continue: "bad!", limit: 1 })),
          refusal(await from.list({ resourceVersion: "99999999999" })),
          refusal(await from.watch({ sendInitialEvents: true })),
        ].map((status) => ({ ...status, requestId: typeof status.requestId }));
      expect(await refusals(selected)).toStrictEqual(await refusals(whole));
      const forbidden = refusal(await context.alice.resource(deployments, context).list());
      expect(forbidden).toMatchObject({ code: 403, reason: "Forbidden" });
    },
  },
  {
    name: "fields: octets, keys of maps, times to the microsecond",
    async run(context) {
      const labels = { kept: "1", dropped: "2" };
      const data = { "a.bin": Buffer.from([0, 255, 128]).toString("base64"), empty: "" };
      ok(await context.of(resources.secrets).create({ metadata: { name: "s", labels }, data }));
      const secret = ok(await context.of(resources.secrets).get("s"));
      expect(ok(await context.admin.resource(secrets, context).get("s"))).toStrictEqual(
        picked(secret, ofSecrets),
      );
      const spec = {
        holderIdentity: "",
        leaseDurationSeconds: 15,
        leaseTransitions: 0,
        acquireTime: "2026-02-03T04:05:06.000000Z",
        renewTime: "2026-02-03T04:05:06.012345Z",
      };
      ok(await context.of(resources.leases).create({ metadata: { name: "l" }, spec }));
      const lease = ok(await context.admin.resource(leases, context).get("l"));
      expect(lease).toStrictEqual(picked(ok(await context.of(resources.leases).get("l")), ofLeases));
      expect(lease.spec).toEqual(spec);
    },
  },
];
