import { fieldsOf, isJsonObject, itemsOf, type JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";

/** Two forms of the same object. */
export interface Conversion {
  toServed(stored: KubeObject): KubeObject;
  toStored(served: KubeObject): KubeObject;
}

/** By `group/version/resource`; what is not here is stored as it is served. */
export const conversions: Readonly<Record<string, Conversion>> = {
  "events.k8s.io/v1/events": { toServed: coreEventToNew, toStored: newEventToCore },
  "autoscaling/v1/horizontalpodautoscalers": { toServed: autoscalerToV1, toStored: autoscalerToV2 },
};

/** Fields of core/v1 Event, and what events.k8s.io/v1 calls them. */
const eventFields = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
] as const;

function coreEventToNew(stored: KubeObject): KubeObject {
  const served: KubeObject = { ...stored, apiVersion: "events.k8s.io/v1" };
  for (const [core, renamed] of eventFields) rename(served, core, renamed);
  return served;
}

function newEventToCore(served: KubeObject): KubeObject {
  const stored: KubeObject = { ...served, apiVersion: "v1" };
  for (const [core, renamed] of eventFields) rename(stored, renamed, core);
  return stored;
}

function rename(object: JsonObject, from: string, to: string): void {
  const value = object[from];
  delete object[from];
  if (value !== undefined) object[to] = value;
}

function autoscalerToV1(stored: KubeObject): KubeObject {
  const { metrics, ...spec } = stored.spec ?? {};
  const cpu = itemsOf(metrics).filter(isJsonObject).find(isCpuUtilization);
  const target = fieldsOf(fieldsOf(cpu?.resource).target);
  return {
    ...stored,
    apiVersion: "autoscaling/v1",
    spec: { ...spec, ...(cpu ? { targetCPUUtilizationPercentage: target.averageUtilization } : {}) },
  };
}

function autoscalerToV2(served: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: percentage, ...spec } = served.spec ?? {};
  const target = { type: "Utilization", averageUtilization: percentage };
  const metrics = [{ type: "Resource", resource: { name: "cpu", target } }];
  return {
    ...served,
    apiVersion: "autoscaling/v2",
    spec: { ...spec, ...(percentage === undefined ? {} : { metrics }) },
  };
}

function isCpuUtilization(metric: JsonObject): boolean {
  const resource = fieldsOf(metric.resource);
  return resource.name === "cpu" && fieldsOf(resource.target).type === "Utilization";
}
