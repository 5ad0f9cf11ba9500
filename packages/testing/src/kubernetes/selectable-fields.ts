import { fieldAt } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";

/** What a field selector may name beside `metadata.name` and `metadata.namespace`. */
export type SelectableFields = Readonly<Record<string, (object: KubeObject) => string>>;

/** By `resource.group`. */
export const selectableFields: Readonly<Record<string, SelectableFields>> = {
  pods: {
    "spec.nodeName": at("spec", "nodeName"),
    "spec.restartPolicy": at("spec", "restartPolicy"),
    "spec.schedulerName": at("spec", "schedulerName"),
    "spec.serviceAccountName": at("spec", "serviceAccountName"),
    "status.phase": at("status", "phase"),
    "status.podIP": at("status", "podIP"),
    "status.nominatedNodeName": at("status", "nominatedNodeName"),
  },
  events: eventFields("involvedObject"),
  "events.events.k8s.io": eventFields("regarding"),
  secrets: { type: at("type") },
  namespaces: { "status.phase": at("status", "phase") },
  nodes: { "spec.unschedulable": at("spec", "unschedulable") },
  "replicasets.apps": { "status.replicas": at("status", "replicas") },
};

function eventFields(subject: string): SelectableFields {
  const parts = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
  return {
    ...Object.fromEntries(parts.map((part) => [`${subject}.${part}`, at("involvedObject", part)])),
    reason: at("reason"),
    type: at("type"),
    source: at("source", "component"),
    reportingComponent: at("reportingComponent"),
  };
}

function at(...path: string[]): (object: KubeObject) => string {
  return (object) => {
    const value = fieldAt(object, ...path);
    return value === undefined || value === null ? "" : String(value);
  };
}
