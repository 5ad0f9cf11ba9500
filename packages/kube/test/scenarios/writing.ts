import { resources } from "@newleaf/kube";
import { expect } from "vitest";
import { configMap, deployment } from "./objects.ts";
import { ok, refusal, type Scenario, versionOf } from "./scenario.ts";

export const creating: readonly Scenario[] = [
  {
    name: "create: what is left out has its default",
    async run({ of }) {
      const { spec, metadata } = ok(await of(resources.deployments).create(deployment("web")));
      expect(metadata?.generation).toBe(1);
      expect(spec).toMatchObject({
        replicas: 1,
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 10,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
        template: {
          spec: { restartPolicy: "Always", dnsPolicy: "ClusterFirst", terminationGracePeriodSeconds: 30 },
        },
      });
      expect(spec?.template.spec?.containers[0]).toMatchObject({ imagePullPolicy: "IfNotPresent" });
    },
  },
  {
    name: "create: of what is there is 409 AlreadyExists",
    async run({ of }) {
      ok(await of(resources.configMaps).create(configMap("a")));
      expect(refusal(await of(resources.configMaps).create(configMap("a")))).toMatchObject({
        code: 409,
        reason: "AlreadyExists",
        message: 'configmaps "a" already exists',
        details: { name: "a", kind: "configmaps" },
      });
    },
  },
  {
    name: "create: generateName is completed by five letters that spell nothing",
    async run({ of }) {
      const names = new Set<string | undefined>();
      for (let i = 0; i < 3; i++) {
        const { metadata } = ok(
          await of(resources.configMaps).create({ metadata: { generateName: "some-" }, data: {} }),
        );
        expect(metadata?.name).toMatch(/^some-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
        expect(metadata?.generateName).toBe("some-");
        names.add(metadata?.name);
      }
      expect(names.size).toBe(3);
    },
  },
  {
    name: "create: in a namespace that is not there is 404 of the namespace",
    async run({ admin }) {
      const elsewhere = admin.resource(resources.configMaps, { namespace: "nowhere" });
      expect(refusal(await elsewhere.create(configMap("a")))).toMatchObject({
        code: 404,
        reason: "NotFound",
        message: 'namespaces "nowhere" not found',
      });
    },
  },
  {
    name: "create: into one namespace of an object of another is 400",
    async run({ of }) {
      const other = configMap("a", {}, { namespace: "default" });
      expect(refusal(await of(resources.configMaps).create(other))).toMatchObject({
        code: 400,
        reason: "BadRequest",
        message: "the namespace of the provided object does not match the namespace sent on the request",
      });
    },
  },
  {
    name: "create: with a resourceVersion is refused, in no better words than 500",
    async run({ of }) {
      const versioned = configMap("a", {}, { resourceVersion: "1" });
      expect(refusal(await of(resources.configMaps).create(versioned))).toMatchObject({
        code: 500,
        message: "resourceVersion should not be set on objects to be created",
      });
    },
  },
  {
    name: "create: what is invalid is 422 with a cause for each field",
    async run({ of }) {
      const named = refusal(await of(resources.configMaps).create(configMap("Not A Name")));
      expect(named).toMatchObject({
        code: 422,
        reason: "Invalid",
        details: { name: "Not A Name", kind: "ConfigMap" },
      });
      expect(named.message).toMatch(
        /^ConfigMap "Not A Name" is invalid: metadata.name: Invalid value: "Not A Name": /,
      );
      expect(named.details?.causes).toMatchObject([{ reason: "FieldValueInvalid", field: "metadata.name" }]);

      const spec = { selector: { matchLabels: { app: "other" } }, replicas: -1 };
      const { details } = refusal(await of(resources.deployments).create(deployment("web", spec)));
      expect(details?.causes?.map(({ field }) => field)).toEqual([
        "spec.replicas",
        "spec.template.metadata.labels",
      ]);
    },
  },
  {
    name: "create: with dryRun is checked, completed, and not kept",
    async run({ of }) {
      const dry = ok(await of(resources.deployments).create(deployment("web"), { dryRun: true }));
      expect(dry.spec?.replicas).toBe(1);
      expect(dry.metadata?.uid).toBeTruthy();
      expect(dry.metadata).not.toHaveProperty("resourceVersion");
      expect(refusal(await of(resources.deployments).get("web")).reason).toBe("NotFound");
    },
  },
];

export const updating: readonly Scenario[] = [
  {
    name: "update: at the version that is there; at an older one it is 409 Conflict and nothing changes",
    async run({ of }) {
      const first = ok(await of(resources.configMaps).create(configMap("a", { k: "1" })));
      const second = ok(await of(resources.configMaps).update({ ...first, data: { k: "2" } }));
      expect(Number(versionOf(second))).toBeGreaterThan(Number(versionOf(first)));
      expect(refusal(await of(resources.configMaps).update({ ...first, data: { k: "3" } }))).toMatchObject({
        code: 409,
        reason: "Conflict",
        message:
          'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
        details: { name: "a", kind: "configmaps" },
      });
      expect(ok(await of(resources.configMaps).get("a"))).toEqual(second);
    },
  },
  {
    name: "update: without a version replaces whatever is there, but not a Lease",
    async run({ of }) {
      ok(await of(resources.configMaps).create(configMap("a", { k: "1" })));
      expect(ok(await of(resources.configMaps).update(configMap("a", { l: "2" }))).data).toEqual({ l: "2" });
      ok(await of(resources.leases).create({ metadata: { name: "lock" }, spec: { holderIdentity: "a" } }));
      const lease = { metadata: { name: "lock" }, spec: { holderIdentity: "b" } };
      const status = refusal(await of(resources.leases).update(lease));
      expect(status).toMatchObject({ code: 422, reason: "Invalid" });
      expect(status.details?.causes).toMatchObject([{ field: "metadata.resourceVersion" }]);
      expect(status.details?.causes?.[0]?.message).toMatch(/must be specified for an update$/);
    },
  },
  {
    name: "update: that changes nothing keeps the version",
    async run({ of }) {
      const first = ok(await of(resources.configMaps).create(configMap("a", { k: "1" })));
      expect(ok(await of(resources.configMaps).update(first))).toEqual(first);
      expect(versionOf(ok(await of(resources.configMaps).update(configMap("a", { k: "1" }))))).toBe(
        versionOf(first),
      );
    },
  },
  {
    name: "update: the generation counts changes of the spec, not of labels or status",
    async run({ of }) {
      const deployments = of(resources.deployments);
      const first = ok(await deployments.create(deployment("web")));
      const labelled = ok(
        await deployments.update({ ...first, metadata: { ...first.metadata, labels: { tier: "front" } } }),
      );
      expect(labelled.metadata?.generation).toBe(1);
      const scaled = ok(
        await deployments.update({ ...labelled, spec: { ...deployment("web").spec!, replicas: 2 } }),
      );
      expect(scaled.metadata?.generation).toBe(2);
      const status = { replicas: 2, observedGeneration: 2 };
      const reported = ok(await deployments.update({ ...scaled, status }, { subresource: "status" }));
      expect(reported).toMatchObject({ metadata: { generation: 2 }, status, spec: { replicas: 2 } });
    },
  },
  {
    name: "update: of an object leaves its status alone, and of the status the rest",
    async run({ of }) {
      const deployments = of(resources.deployments);
      const first = ok(await deployments.create({ ...deployment("web"), status: { replicas: 9 } }));
      expect(first.status?.replicas).toBeUndefined();
      const reported = ok(
        await deployments.update(
          { ...first, spec: { ...first.spec!, replicas: 5 }, status: { replicas: 4, readyReplicas: 4 } },
          { subresource: "status" },
        ),
      );
      expect(reported).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 4, readyReplicas: 4 } });
      const replaced = ok(
        await deployments.update({ ...reported, spec: { ...first.spec!, replicas: 5 }, status: {} }),
      );
      expect(replaced).toMatchObject({ spec: { replicas: 5 }, status: { replicas: 4 } });
    },
  },
  {
    name: "update: of what is not there is 404, and of another uid 409",
    async run({ of }) {
      expect(refusal(await of(resources.configMaps).update(configMap("nope")))).toMatchObject({
        code: 404,
        message: 'configmaps "nope" not found',
      });
      ok(await of(resources.configMaps).create(configMap("a")));
      const uid = "11111111-1111-1111-1111-111111111111";
      expect(refusal(await of(resources.configMaps).update(configMap("a", {}, { uid })))).toMatchObject({
        code: 409,
        reason: "Conflict",
        message: expect.stringMatching(
          /Precondition failed: UID in precondition: 1{8}.*, UID in object meta: /,
        ),
      });
    },
  },
  {
    name: "update: of a Lease that was deleted",
    async run({ of }) {
      const leases = of(resources.leases);
      const lease = ok(await leases.create({ metadata: { name: "lock" }, spec: { holderIdentity: "a" } }));
      ok(await leases.delete("lock"));
      // A PUT creates a Lease, but never one that was seen before.
      expect(refusal(await leases.update(lease))).toMatchObject({ code: 409, reason: "Conflict" });
      const { metadata: _, ...fresh } = lease;
      expect(ok(await leases.update({ ...fresh, metadata: { name: "lock" } })).metadata?.uid).not.toBe(
        lease.metadata?.uid,
      );
    },
  },
  {
    name: "update: what must not change is 422",
    async run({ of }) {
      const first = ok(await of(resources.deployments).create(deployment("web")));
      const moved = { ...first, spec: { ...deployment("other").spec! } };
      const status = refusal(await of(resources.deployments).update(moved));
      expect(status.details?.causes).toMatchObject([{ reason: "FieldValueInvalid", field: "spec.selector" }]);
      expect(status.message).toMatch(/field is immutable$/);

      const secret = ok(
        await of(resources.secrets).create({
          metadata: { name: "s" },
          stringData: { k: "v" },
          immutable: true,
        }),
      );
      expect(secret).toMatchObject({ type: "Opaque", data: { k: "dg==" } });
      expect(secret).not.toHaveProperty("stringData");
      const changed = refusal(await of(resources.secrets).update({ ...secret, data: { k: "dw==" } }));
      expect(changed.message).toContain("field is immutable when `immutable` is set");
    },
  },
  {
    name: "update: with dryRun changes nothing",
    async run({ of }) {
      const first = ok(await of(resources.configMaps).create(configMap("a", { k: "1" })));
      const dry = ok(await of(resources.configMaps).update({ ...first, data: { k: "2" } }, { dryRun: true }));
      expect(dry.data).toEqual({ k: "2" });
      expect(ok(await of(resources.configMaps).get("a"))).toEqual(first);
    },
  },
];
