import type { KubernetesApi } from "@newleaf/testing";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** A caBundle as one API server uses it, which is a while after it was written. */
export interface EffectiveBundle {
  /** `server kind/name`, for people. */
  readonly caller: string;
  readonly target: string;
  /** Base64 of PEM; "" where there is none. */
  readonly bundle: string;
  /** Put there by somebody else than a leader, and not repaired yet. */
  readonly spoiled: boolean;
}

/** The API servers, as far as they call webhooks. */
export interface AdmissionCallers {
  readonly bundles: readonly EffectiveBundle[];
  /** Targets that some API server uses with what somebody else has put there, or soon will. */
  readonly spoiled: readonly string[];
}

const SERVERS = ["apiserver-0", "apiserver-1"] as const;
export const TARGET_STORAGES = [
  "validatingwebhookconfigurations.admissionregistration.k8s.io",
  "mutatingwebhookconfigurations.admissionregistration.k8s.io",
] as const;

export function createAdmissionCallers(options: {
  readonly api: KubernetesApi;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** The longest time an API server goes on using a caBundle that was replaced. */
  readonly lagMs: number;
  /** Whether a leader is writing at the moment. */
  readonly byLeader: () => boolean;
  readonly onChange: () => void;
}): AdmissionCallers {
  const { api, scheduler, random, lagMs, byLeader, onChange } = options;
  const effective = new Map<string, EffectiveBundle & { readonly order: number }>();
  const stored = new Map<string, boolean>();
  const dueAt = new Map<string, number>();
  let order = 0;

  const see = (target: string, bundle: string, spoiled: boolean): void => {
    order += 1;
    const entry = { target, bundle, spoiled, order };
    for (const server of SERVERS) {
      const caller = `${server} ${target}`;
      const at = Math.max(dueAt.get(caller) ?? 0, scheduler.now + random.between(0, lagMs));
      dueAt.set(caller, at);
      scheduler.after(at - scheduler.now, () => {
        effective.set(caller, { ...entry, caller });
        onChange();
      });
    }
  };
  for (const storage of TARGET_STORAGES) {
    api.store.table.subscribe(storage, ({ type, object }) => {
      const target = `${object.kind}/${object.metadata.name}`;
      const bundle = type === "DELETED" ? "" : bundleOf(object);
      // Nobody is called through what is deleted; what is created again is empty.
      const isKnown = stored.has(target);
      const spoiled = type === "DELETED" || (isKnown && !byLeader());
      stored.set(target, spoiled);
      see(target, bundle, spoiled);
    });
  }
  return {
    get bundles() {
      return [...effective.values()];
    },
    get spoiled() {
      const inUse = [...effective.values()].flatMap(({ target, spoiled }) => (spoiled ? [target] : []));
      const inStore = [...stored].flatMap(([target, spoiled]) => (spoiled ? [target] : []));
      return [...new Set([...inUse, ...inStore])];
    },
  };
}

/** Of the first webhook: leaders write all of them at once. */
export function bundleOf(object: object): string {
  const { webhooks = [] } = object as {
    webhooks?: readonly { readonly clientConfig?: { readonly caBundle?: string } }[];
  };
  return webhooks[0]?.clientConfig?.caBundle ?? "";
}
