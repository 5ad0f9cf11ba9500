import { fieldsOf } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ResourceRow } from "./resource-table.ts";
import { conflict, forbidden } from "./status-error.ts";

/** What of meta/v1 DeleteOptions is heeded. Nobody collects garbage here: finalizers of propagation stay until removed. */
export interface DeleteRequest {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: "Foreground" | "Background" | "Orphan" | undefined;
}

/** The finalizers while it is deleted: those it has, and that of the propagation that was asked for. */
export function deletionFinalizers(
  current: KubeObject,
  { propagationPolicy }: DeleteRequest,
): readonly string[] {
  const { finalizers = [] } = current.metadata;
  if (propagationPolicy === "Foreground") return [...new Set([...finalizers, "foregroundDeletion"])];
  return propagationPolicy === "Orphan" ? [...new Set([...finalizers, "orphan"])] : finalizers;
}

/** Throws Conflict when a precondition does not hold, and Forbidden for namespaces that stay. */
export function checkDeletion(row: ResourceRow, current: KubeObject, request: DeleteRequest): void {
  const { name = "", uid, resourceVersion } = current.metadata;
  const { preconditions = {} } = request;
  // Kubernetes names the kind here, where it names the resource elsewhere.
  const of = { ...row, resource: row.kind };
  if (preconditions.uid !== undefined && preconditions.uid !== uid) {
    const why = `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw conflict(of, name, why);
  }
  if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`;
    throw conflict(of, name, why);
  }
  if (row.storage === "namespaces" && ["default", "kube-system", "kube-public"].includes(name)) {
    throw forbidden(row, name, "this namespace may not be deleted");
  }
}

/** Seconds until it goes by itself: only Pods on a node, which have to stop first, are given any. */
export function deletionGrace(row: ResourceRow, current: KubeObject, request: DeleteRequest): number {
  if (row.storage !== "pods") return 0;
  const { nodeName, terminationGracePeriodSeconds } = fieldsOf(current.spec);
  const { phase } = fieldsOf(current.status);
  if (!nodeName || phase === "Succeeded" || phase === "Failed") return 0;
  const asked = request.gracePeriodSeconds ?? terminationGracePeriodSeconds;
  return typeof asked === "number" && asked >= 0 ? asked : 30;
}
