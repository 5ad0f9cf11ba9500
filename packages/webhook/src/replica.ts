import type { Lease, Pod } from "@newleaf/kube";
import type { AnnotationNames } from "./annotations.ts";

/** A Pod that serves the certificate, and what it has said of it. */
export interface Replica {
  readonly name: string;
  readonly uid: string;
  /** Its IP address. */
  readonly address: string | undefined;
  readonly certHash: string | undefined;
  readonly caHash: string | undefined;
}

/**
 * The Pods that may be serving: neither finished nor on their way out, and either running or with something loaded by
 * their own word, since a kubelet may be late to report that a Pod runs. Any other has loaded nothing yet, and will
 * load only what the Lease says then.
 */
export function replicasOf(
  pods: readonly Pod[],
  leases: readonly Lease[],
  of: { readonly name: string; readonly names: AnnotationNames },
): readonly Replica[] {
  const said = new Map(leases.map((lease) => [lease.metadata?.name, lease.metadata?.annotations]));
  return pods.flatMap((pod) => {
    const { name = "", uid = "", annotations = {} } = pod.metadata ?? {};
    const acknowledged = { ...annotations, ...said.get(replicaLeaseName(of.name, name)) };
    const certHash = acknowledged[of.names.acknowledgedCertHash];
    const caHash = acknowledged[of.names.acknowledgedCaHash];
    if (!mayServe(pod, certHash !== undefined)) return [];
    return [{ name, uid, address: pod.status?.podIP, certHash, caHash }];
  });
}

/** The Lease of a replica's own, for where Pods may not be patched. */
export function replicaLeaseName(name: string, pod: string): string {
  return `${name}-${pod}`;
}

function mayServe({ metadata, status }: Pod, hasLoaded: boolean): boolean {
  if (metadata?.deletionTimestamp !== undefined) return false;
  const phase = status?.phase ?? "Pending";
  return phase === "Running" || (hasLoaded && phase !== "Succeeded" && phase !== "Failed");
}
