import { resources } from "@newleaf/kube";
import { expect } from "vitest";
import { deployment, type Scale } from "./objects.ts";
import { ok, refusal, type Scenario, type ScenarioContext, versionOf } from "./scenario.ts";

const scaleOf = ({ of }: ScenarioContext) => ({
  get: async (name: string) =>
    ok(await of(resources.deployments).get(name, { subresource: "scale" })) as unknown as Scale,
  update: async (scale: Scale) => of(resources.deployments).update(scale as never, { subresource: "scale" }),
});

export const scaling: readonly Scenario[] = [
  {
    name: "scale: of a Deployment shows what is wanted, and whom it selects",
    async run(context) {
      const created = ok(await context.of(resources.deployments).create(deployment("web")));
      const scale = await scaleOf(context).get("web");
      expect(scale).toMatchObject({
        apiVersion: "autoscaling/v1",
        kind: "Scale",
        metadata: { name: "web", uid: created.metadata?.uid, resourceVersion: versionOf(created) },
        spec: { replicas: 1 },
        status: { replicas: 0, selector: "app=web" },
      });
    },
  },
  {
    name: "scale: an update scales the Deployment, at its version",
    async run(context) {
      const deployments = context.of(resources.deployments);
      ok(await deployments.create(deployment("web")));
      const scale = await scaleOf(context).get("web");
      const scaled = ok(await scaleOf(context).update({ ...scale, spec: { replicas: 3 } }));
      expect(scaled).toMatchObject({ kind: "Scale", spec: { replicas: 3 } });
      const { spec, metadata } = ok(await deployments.get("web"));
      expect([spec?.replicas, metadata?.generation]).toEqual([3, 2]);
      expect(versionOf(scaled)).toBe(metadata?.resourceVersion);
      const stale = refusal(await scaleOf(context).update({ ...scale, spec: { replicas: 4 } }));
      expect(stale).toMatchObject({ code: 409, reason: "Conflict" });
    },
  },
  {
    name: "scale: to 0 is shown as such or left out, and below is 422",
    async run(context) {
      const deployments = context.of(resources.deployments);
      ok(await deployments.create(deployment("web")));
      const patch = (replicas: number) =>
        deployments.patch("web", { type: "merge", body: { spec: { replicas } } }, { subresource: "scale" });
      const zero = ok(await patch(0)) as unknown as Scale;
      expect(zero.spec?.replicas ?? 0).toBe(0);
      expect(ok(await deployments.get("web")).spec?.replicas).toBe(0);
      const status = refusal(await patch(-1));
      expect(status).toMatchObject({ code: 422, reason: "Invalid" });
      expect(status.message).toContain(
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
      );
    },
  },
  {
    name: "scale: of what is not there is 404",
    async run({ of }) {
      const answer = await of(resources.deployments).get("nope", { subresource: "scale" });
      expect(refusal(answer)).toMatchObject({ code: 404, message: 'deployments.apps "nope" not found' });
    },
  },
];
