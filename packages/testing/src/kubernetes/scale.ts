import { fieldAt, fieldsOf, type JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import { invalidValue } from "./names.ts";
import { badRequest, invalid } from "./status-error.ts";

/** autoscaling/v1 Scale of a workload. */
export function scaleOf(object: KubeObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = fieldsOf(object.spec).replicas;
  const selector = Object.entries(fieldsOf(fieldAt(object, "spec", "selector", "matchLabels")))
    .map(([key, value]) => `${key}=${String(value)}`)
    .sort()
    .join(",");
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: typeof replicas === "number" && replicas !== 0 ? { replicas } : {},
    status: { replicas: fieldsOf(object.status).replicas ?? 0, ...(selector ? { selector } : {}) },
  };
}

/** The workload with the replicas of a Scale, and with its preconditions. Throws BadRequest or Invalid. */
export function fromScale(current: KubeObject, scale: JsonObject): KubeObject {
  const { kind = "Scale", apiVersion = "autoscaling/v1" } = scale;
  if (kind !== "Scale") throw badRequest(`${String(kind)} cannot be handled as a Scale`);
  if (apiVersion !== "autoscaling/v1")
    throw badRequest(`no kind "Scale" is registered for version "${String(apiVersion)}"`);
  const { name, resourceVersion, uid } = fieldsOf(scale.metadata);
  const replicas = fieldsOf(scale.spec).replicas ?? 0;
  const of = { group: "autoscaling", kind: "Scale" };
  if (!Number.isInteger(replicas)) {
    throw badRequest("json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32");
  }
  if (Number(replicas) < 0) {
    throw invalid(of, current.metadata.name ?? "", [
      invalidValue("spec.replicas", replicas, "must be greater than or equal to 0"),
    ]);
  }
  const metadata = { ...current.metadata };
  if (typeof name === "string" && name !== "") metadata.name = name;
  if (typeof uid === "string" && uid !== "") metadata.uid = uid;
  if (typeof resourceVersion === "string" && resourceVersion !== "")
    metadata.resourceVersion = resourceVersion;
  else delete metadata.resourceVersion;
  return { ...current, metadata, spec: { ...current.spec, replicas } };
}
