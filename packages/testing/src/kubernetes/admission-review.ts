import type { AdmissionAttempt } from "./admission.ts";
import type { JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import { newUid } from "./new-uid.ts";
import { toServed } from "./resource-table.ts";
import { userJson } from "./reviews.ts";

/** AdmissionReview v1 of an attempt. */
export function admissionReview(attempt: AdmissionAttempt, random: () => number): JsonObject {
  const { call, operation, object, oldObject, dryRun } = attempt;
  const { row, info } = call;
  const kind = { group: row.group, version: row.version, kind: row.kind };
  const resource = { group: row.group, version: row.version, resource: row.resource };
  const shown = (state: KubeObject | undefined): JsonObject | null => (state ? toServed(row, state) : null);
  const name = info.name ?? object?.metadata.name;
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: newUid(random),
      kind,
      resource,
      ...(info.subresource ? { subResource: info.subresource } : {}),
      requestKind: kind,
      requestResource: resource,
      ...(info.subresource ? { requestSubResource: info.subresource } : {}),
      ...(name ? { name } : {}),
      ...(row.namespaced && info.namespace ? { namespace: info.namespace } : {}),
      operation,
      userInfo: userJson(call.user),
      object: shown(object),
      oldObject: shown(oldObject),
      dryRun,
      options: { kind: optionsKind[operation], apiVersion: "meta.k8s.io/v1" },
    },
  };
}

const optionsKind = { CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions" } as const;
