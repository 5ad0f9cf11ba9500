import { resources } from "@newleaf/kube";
import { expect } from "vitest";
import { configMap, serviceAccounts } from "./objects.ts";
import { ok, refusal, type Scenario, versionOf } from "./scenario.ts";

export const deleting: readonly Scenario[] = [
  {
    name: "delete: what is gone at once is answered by a Status or by the object",
    async run({ of }) {
      ok(await of(resources.configMaps).create(configMap("a")));
      expect(ok(await of(resources.configMaps).delete("a"))).toBeUndefined();
      expect(refusal(await of(resources.configMaps).get("a")).reason).toBe("NotFound");
      expect(refusal(await of(resources.configMaps).delete("a"))).toMatchObject({
        code: 404,
        message: 'configmaps "a" not found',
      });
      ok(await of(serviceAccounts).create({ metadata: { name: "s" } }));
      expect(ok(await of(serviceAccounts).delete("s"))?.metadata?.name).toBe("s");
    },
  },
  {
    name: "delete: with another uid or version than is there is 409",
    async run({ of }) {
      const first = ok(await of(resources.configMaps).create(configMap("a", { k: "1" })));
      const second = ok(await of(resources.configMaps).update(configMap("a", { k: "2" })));
      const uid = "11111111-1111-1111-1111-111111111111";
      const other = refusal(await of(resources.configMaps).delete("a", { preconditions: { uid } }));
      expect(other).toMatchObject({ code: 409, reason: "Conflict" });
      expect(other.message).toBe(
        `Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (${uid}) does not match the UID in record (${first.metadata?.uid}). The object might have been deleted and then recreated`,
      );
      const stale = { resourceVersion: versionOf(first) };
      expect(refusal(await of(resources.configMaps).delete("a", { preconditions: stale })).message).toBe(
        `Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition (${versionOf(first)}) does not match the ResourceVersion in record (${versionOf(second)}). The object might have been modified`,
      );
      const exact = { resourceVersion: versionOf(second), uid: second.metadata?.uid ?? "" };
      ok(await of(resources.configMaps).delete("a", { preconditions: exact }));
    },
  },
  {
    name: "delete: finalizers hold the object until the last one goes",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const finalizers = ["example.com/one", "example.com/two"];
      ok(await configMaps.create(configMap("a", {}, { finalizers })));
      const marked = ok(await configMaps.delete("a"));
      expect(marked?.metadata).toMatchObject({
        finalizers,
        deletionTimestamp: expect.stringMatching(/Z$/),
        deletionGracePeriodSeconds: 0,
      });
      const again = ok(await configMaps.delete("a"));
      expect(again?.metadata?.deletionTimestamp).toBe(marked?.metadata?.deletionTimestamp);
      const added = {
        type: "merge",
        body: { metadata: { finalizers: [...finalizers, "example.com/three"] } },
      } as const;
      expect(refusal(await configMaps.patch("a", added))).toMatchObject({
        code: 422,
        message: expect.stringContaining(
          "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted",
        ),
      });
      const less = { type: "merge", body: { metadata: { finalizers: ["example.com/two"] } } } as const;
      expect(ok(await configMaps.patch("a", less)).metadata?.finalizers).toEqual(["example.com/two"]);
      ok(
        await configMaps.patch("a", { type: "json", body: [{ op: "remove", path: "/metadata/finalizers" }] }),
      );
      expect(refusal(await configMaps.get("a")).reason).toBe("NotFound");
    },
  },
  {
    name: "delete: with dryRun changes nothing",
    async run({ of }) {
      const first = ok(await of(resources.configMaps).create(configMap("a")));
      ok(await of(resources.configMaps).delete("a", { dryRun: true }));
      expect(ok(await of(resources.configMaps).get("a"))).toEqual(first);
    },
  },
];
