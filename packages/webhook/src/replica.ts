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
 * The Pods that may be serving: started, and neither finished nor on their way out. A Pod that has not started has
 * loaded nothing yet, and will load only what the Lease says then.
 */
export function replicasOf(
  pods: readonly Pod[],
  leases: readonly Lease[],
  of: { readonly name: string; readonly names: AnnotationNames },
): readonly Replica[] {
  const said = new Map(leases.map((lease) => [lease.metadata?.name, lease.metadata?.annotations]));
  return pods.filter(mayServe).map((pod) => {
    const { name = "", uid = "", annotations = {} } = pod.metadata ?? {};
    const acknowledged = { ...annotations, ...said.get(replicaLeaseName(of.name, name)) };
    return {
      name,
      uid,
      address: pod.status?.podIP,
      certHash: acknowledged[of.names.acknowledgedCertHash],
      caHash: acknowledged[of.names.acknowledgedCaHash],
    };
  });
}

/** The Lease of a replica's own, for where Pods may not be patched. */
export function replicaLeaseName(name: string, pod: string): string {
  return `${name}-${pod}`;
}

function mayServe({ metadata, status }: Pod): boolean {
  return metadata?.deletionTimestamp === undefined && status?.phase === "Running";
}
