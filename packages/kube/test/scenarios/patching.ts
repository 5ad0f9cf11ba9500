import { resources } from "@newleaf/kube";
import { expect } from "vitest";
import { configMap, deployment } from "./objects.ts";
import { ok, refusal, type Scenario, versionOf } from "./scenario.ts";

export const patching: readonly Scenario[] = [
  {
    name: "patch merge: sets, and removes with null",
    async run({ of }) {
      ok(await of(resources.configMaps).create(configMap("a", { k: "1", l: "2" })));
      const patch = {
        type: "merge",
        body: { data: { l: null, m: "3" }, metadata: { labels: { x: "y" } } },
      } as const;
      const patched = ok(await of(resources.configMaps).patch("a", patch));
      expect(patched).toMatchObject({ data: { k: "1", m: "3" }, metadata: { labels: { x: "y" } } });
      expect(patched.data).not.toHaveProperty("l");
      expect(ok(await of(resources.configMaps).patch("a", patch))).toEqual(patched);
    },
  },
  {
    name: "patch json: its operations in order, and none when one fails",
    async run({ of }) {
      const first = ok(await of(resources.configMaps).create(configMap("a", { k: "1" })));
      const patched = ok(
        await of(resources.configMaps).patch("a", {
          type: "json",
          body: [
            { op: "test", path: "/data/k", value: "1" },
            { op: "replace", path: "/data/k", value: "2" },
            { op: "add", path: "/data/l", value: "3" },
          ],
        }),
      );
      expect(patched.data).toEqual({ k: "2", l: "3" });
      const failing = await of(resources.configMaps).patch("a", {
        type: "json",
        body: [
          { op: "remove", path: "/data/l" },
          { op: "test", path: "/data/k", value: "1" },
        ],
      });
      expect(refusal(failing)).toMatchObject({ code: 422, reason: "Invalid" });
      const missing = await of(resources.configMaps).patch("a", {
        type: "json",
        body: [{ op: "replace", path: "/none/deeper", value: "x" }],
      });
      expect(refusal(missing)).toMatchObject({ code: 422, reason: "Invalid" });
      expect(ok(await of(resources.configMaps).get("a"))).toEqual(patched);
      expect(versionOf(patched)).not.toBe(versionOf(first));
    },
  },
  {
    name: "patch strategic: lists are merged by their key, and removed by a directive",
    async run({ of }) {
      const deployments = of(resources.deployments);
      ok(await deployments.create(deployment("web")));
      const containers = (list: readonly object[]) =>
        ({ type: "strategic", body: { spec: { template: { spec: { containers: list } } } } }) as const;
      const added = ok(
        await deployments.patch("web", containers([{ name: "side", image: "example.com/side:1" }])),
      );
      expect(added.spec?.template.spec?.containers.map(({ name }) => name)).toEqual(["side", "main"]);
      const changed = ok(
        await deployments.patch("web", containers([{ name: "main", image: "example.com/main:2" }])),
      );
      expect(changed.spec?.template.spec?.containers.map(({ image }) => image)).toEqual([
        "example.com/side:1",
        "example.com/main:2",
      ]);
      const removed = ok(await deployments.patch("web", containers([{ name: "side", $patch: "delete" }])));
      expect(removed.spec?.template.spec?.containers.map(({ name }) => name)).toEqual(["main"]);
      expect(removed.metadata?.generation).toBe(4);
    },
  },
  {
    name: "patch: with a version that is not there any more is 409",
    async run({ of }) {
      const first = ok(await of(resources.configMaps).create(configMap("a", { k: "1" })));
      ok(await of(resources.configMaps).update(configMap("a", { k: "2" })));
      const body = { metadata: { resourceVersion: versionOf(first) }, data: { k: "3" } };
      expect(refusal(await of(resources.configMaps).patch("a", { type: "merge", body }))).toMatchObject({
        code: 409,
        reason: "Conflict",
      });
    },
  },
  {
    name: "patch: of what is not there is 404; what becomes invalid is 422",
    async run({ of }) {
      const patch = { type: "merge", body: { data: { k: "1" } } } as const;
      expect(refusal(await of(resources.configMaps).patch("nope", patch))).toMatchObject({ code: 404 });
      ok(await of(resources.deployments).create(deployment("web")));
      const negative = { type: "merge", body: { spec: { replicas: -1 } } } as const;
      const status = refusal(await of(resources.deployments).patch("web", negative));
      expect(status).toMatchObject({
        code: 422,
        message:
          'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        details: { name: "web", group: "apps", kind: "Deployment" },
      });
    },
  },
];

export const applying: readonly Scenario[] = [
  {
    name: "apply: creates, and the manager owns the fields it set",
    async run({ of }) {
      const applied = ok(
        await of(resources.configMaps).apply(configMap("a", { k: "1" }), { fieldManager: "one" }),
      );
      expect(applied.metadata?.managedFields).toMatchObject([
        {
          manager: "one",
          operation: "Apply",
          apiVersion: "v1",
          fieldsType: "FieldsV1",
          fieldsV1: { "f:data": { "f:k": {} } },
        },
      ]);
      const again = ok(
        await of(resources.configMaps).apply(configMap("a", { k: "1" }), { fieldManager: "one" }),
      );
      expect(versionOf(again)).toBe(versionOf(applied));
    },
  },
  {
    name: "apply: a field of another manager is 409 with its cause, and is taken over by force",
    async run({ of }) {
      ok(await of(resources.configMaps).apply(configMap("a", { k: "1", l: "1" }), { fieldManager: "one" }));
      const contested = configMap("a", { k: "2" });
      expect(refusal(await of(resources.configMaps).apply(contested, { fieldManager: "two" }))).toMatchObject(
        {
          code: 409,
          reason: "Conflict",
          message: 'Apply failed with 1 conflict: conflict with "one": .data.k',
          details: {
            causes: [{ reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.k" }],
          },
        },
      );
      const forced = ok(
        await of(resources.configMaps).apply(contested, { fieldManager: "two", force: true }),
      );
      expect(forced.data).toEqual({ k: "2", l: "1" });
      // What neither set any more is removed; what the other owns stays.
      const less = ok(await of(resources.configMaps).apply(configMap("a"), { fieldManager: "one" }));
      expect(less.data).toEqual({ k: "2" });
    },
  },
  {
    name: "apply: the same value is shared, and goes when the last manager drops it",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      ok(await configMaps.apply(configMap("a", { k: "1" }), { fieldManager: "one" }));
      ok(await configMaps.apply(configMap("a", { k: "1" }), { fieldManager: "two" }));
      const one = ok(await configMaps.apply({ metadata: { name: "a" } }, { fieldManager: "one" }));
      expect(one.data).toEqual({ k: "1" });
      const two = ok(await configMaps.apply({ metadata: { name: "a" } }, { fieldManager: "two" }));
      expect(two.data?.k).toBeUndefined();
    },
  },
  {
    name: "apply: what an update changed is another manager's",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const applied = ok(await configMaps.apply(configMap("a", { k: "1" }), { fieldManager: "one" }));
      ok(await configMaps.update({ ...applied, data: { k: "2" } }, { fieldManager: "editor" }));
      const status = refusal(await configMaps.apply(configMap("a", { k: "1" }), { fieldManager: "one" }));
      expect(status.message).toBe('Apply failed with 1 conflict: conflict with "editor" using v1: .data.k');
    },
  },
  {
    name: "apply: containers are merged by name",
    async run({ of }) {
      const deployments = of(resources.deployments);
      ok(await deployments.apply(deployment("web"), { fieldManager: "one" }));
      const side = {
        metadata: { name: "web" },
        spec: { template: { spec: { containers: [{ name: "side", image: "example.com/side:1" }] } } },
      };
      const both = ok(await deployments.apply(side as never, { fieldManager: "two" }));
      expect(both.spec?.template.spec?.containers.map(({ name }) => name)).toEqual(["main", "side"]);
      const one = ok(
        await deployments.apply({ metadata: { name: "web" } } as never, { fieldManager: "two" }),
      );
      expect(one.spec?.template.spec?.containers.map(({ name }) => name)).toEqual(["main"]);
    },
  },
  {
    name: "apply: at a version that is not there any more is 409",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const first = ok(await configMaps.apply(configMap("a", { k: "1" }), { fieldManager: "one" }));
      ok(await configMaps.apply(configMap("a", { k: "2" }), { fieldManager: "one" }));
      const stale = configMap("a", { k: "3" }, { resourceVersion: versionOf(first) });
      expect(refusal(await configMaps.apply(stale, { fieldManager: "one" })).reason).toBe("Conflict");
    },
  },
];
