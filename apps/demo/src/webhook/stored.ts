import type { Lease, Pod, Secret } from "@newleaf/kube";
import type { KubernetesApi } from "@newleaf/testing";
import { annotationNames, type RolloverNote } from "@newleaf/webhook";
import { NAME, NAMESPACE } from "./cluster-objects.ts";

// What the API holds at this moment, read from its store: stories ask for it every few milliseconds.

export function storedLease({ store }: KubernetesApi, name: string): Lease | undefined {
  return store.get(LEASES, NAMESPACE, name) as unknown as Lease | undefined;
}

export function storedSecret({ store }: KubernetesApi, name: string): Secret | undefined {
  return store.get("secrets", NAMESPACE, name) as unknown as Secret | undefined;
}

export function storedPods({ store }: KubernetesApi): readonly Pod[] {
  return store.list("pods", { namespace: NAMESPACE }).items as unknown as readonly Pod[];
}

/** PEM; empty when there is none. */
export function storedBundle({ store }: KubernetesApi): string {
  const configuration = store.get(CONFIGURATIONS, undefined, NAME) as unknown as Configuration | undefined;
  const encoded = configuration?.webhooks[0]?.clientConfig.caBundle ?? "";
  return Buffer.from(encoded, "base64").toString();
}

/** The CA rollover under way. */
export function storedRollover(api: KubernetesApi): RolloverNote | undefined {
  const note = storedSecret(api, `${NAME}-ca`)?.metadata?.annotations?.[annotationNames().rollover];
  return note === undefined ? undefined : (JSON.parse(note) as RolloverNote);
}

export const LEASES = "leases.coordination.k8s.io";
const CONFIGURATIONS = "validatingwebhookconfigurations.admissionregistration.k8s.io";

interface Configuration {
  readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
}
