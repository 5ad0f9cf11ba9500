import type { Admission } from "./admission.ts";
import type { KubeObject } from "./kube-object.ts";
import type { KubeStore } from "./kube-store.ts";
import type { ResourceCall } from "./resource-call.ts";
import { StatusError } from "./status-error.ts";
import type { WritePlan } from "./write-plan.ts";

/** A write without a version is planned anew so often when the object changes while webhooks are asked. */
const ATTEMPTS = 5;

/** Carries writes through admission to the store: mutated, settled and validated, validated by others, stored. */
export function createAdmittedWriter(
  store: KubeStore,
  admission: Admission,
): (call: ResourceCall, plan: () => WritePlan, dryRun: boolean) => Promise<KubeObject> {
  return async (call, plan, dryRun) => {
    for (let attempt = 1; ; attempt += 1) {
      const planned = plan();
      const { operation, old: oldObject } = planned;
      const about = { call, operation, oldObject, dryRun, object: planned.draft };
      const settled = store.settle(planned, await admission.mutate(about, planned.draft));
      await admission.validate({ ...about, object: settled });
      if (dryRun) return settled;
      try {
        return store.commit(planned, settled);
      } catch (error) {
        const changed = error instanceof StatusError && error.reason === "Conflict";
        if (!changed || !planned.unconditional || attempt >= ATTEMPTS) throw error;
      }
    }
  };
}
