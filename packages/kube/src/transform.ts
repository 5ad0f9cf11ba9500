import type { KubeObject } from "./kube-object.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * What informers do to objects by default: drops `managedFields` and kubectl's copy of what was applied, which are
 * often half of an object and which only their writers read. Changes the object it is given.
 */
export function dropBookkeeping<T extends KubeObject>(object: T): T {
  const { metadata } = object;
  if (!metadata) return object;
  delete metadata.managedFields;
  if (metadata.annotations && LAST_APPLIED in metadata.annotations) {
    delete metadata.annotations[LAST_APPLIED];
  }
  return object;
}
