import { equalJson, fieldAt, fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import { parseLabelSelectorObject } from "./label-selector.ts";
import {
  invalidValue,
  isQualifiedName,
  labelFaults,
  type NameRule,
  nameFault,
  requiredValue,
} from "./names.ts";
import type { StatusCause } from "./status-error.ts";
import { webhookFaults } from "./webhook-validation.ts";

/** What is wrong with an object, beside its metadata; `old` is there when it replaces another. */
export type Validator = (object: KubeObject, old: KubeObject | undefined) => StatusCause[];

/** By `resource.group`; what is not here may hold anything. */
export const validators: Readonly<Record<string, Validator>> = {
  configmaps: (map, old) => [
    ...dataFaults(map.data, "data"),
    ...dataFaults(map.binaryData, "binaryData"),
    ...sizeFaults(sizeOf(map.data, "utf8") + sizeOf(map.binaryData, "base64"), "[]"),
    ...immutableFaults(map, old, ["data", "binaryData"]),
  ],
  secrets: (secret, old) => [
    ...dataFaults(secret.data, "data"),
    ...sizeFaults(sizeOf(secret.data, "base64"), "data"),
    ...(secret.type === "kubernetes.io/tls" ? missingKeys(secret.data, ["tls.crt", "tls.key"]) : []),
    ...(old && old.type !== secret.type ? [immutable("type", secret.type)] : []),
    ...immutableFaults(secret, old, ["data"]),
  ],
  pods: (pod, old) => [
    ...podSpecFaults(fieldsOf(pod.spec), "spec"),
    ...(old && !equalJson(fixedPodSpec(pod), fixedPodSpec(old))
      ? [
          {
            reason: "FieldValueForbidden" as const,
            message:
              "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
            field: "spec",
          },
        ]
      : []),
  ],
  services: (service) => {
    const spec = fieldsOf(service.spec);
    const ports = itemsOf(spec.ports);
    if (ports.length === 0 && spec.clusterIP !== "None" && spec.type !== "ExternalName") {
      return [requiredValue("spec.ports")];
    }
    return ports.flatMap((port, index) => portFaults(fieldsOf(port).port, `spec.ports[${index}].port`));
  },
  "deployments.apps": workloadFaults,
  "replicasets.apps": workloadFaults,
  "statefulsets.apps": workloadFaults,
  "daemonsets.apps": workloadFaults,
  "leases.coordination.k8s.io": (lease) => {
    const spec = fieldsOf(lease.spec);
    const faults: StatusCause[] = [];
    const duration = spec.leaseDurationSeconds;
    if (typeof duration === "number" && duration <= 0) {
      faults.push(invalidValue("spec.leaseDurationSeconds", duration, "must be greater than 0"));
    }
    return [...faults, ...nonNegative(spec.leaseTransitions, "spec.leaseTransitions")];
  },
  "horizontalpodautoscalers.autoscaling": (autoscaler) => {
    const spec = fieldsOf(autoscaler.spec);
    const faults: StatusCause[] = [];
    if (typeof spec.maxReplicas !== "number" || spec.maxReplicas < 1) {
      faults.push(invalidValue("spec.maxReplicas", spec.maxReplicas ?? 0, "must be greater than 0"));
    } else if (typeof spec.minReplicas === "number" && spec.maxReplicas < spec.minReplicas) {
      faults.push(
        invalidValue(
          "spec.maxReplicas",
          spec.maxReplicas,
          "must be greater than or equal to `spec.minReplicas`",
        ),
      );
    }
    const target = fieldsOf(spec.scaleTargetRef);
    if (!target.kind) faults.push(requiredValue("spec.scaleTargetRef.kind"));
    if (!target.name) faults.push(requiredValue("spec.scaleTargetRef.name"));
    return faults;
  },
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhookFaults,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhookFaults,
  "rolebindings.rbac.authorization.k8s.io": bindingFaults,
  "clusterrolebindings.rbac.authorization.k8s.io": bindingFaults,
  "customresourcedefinitions.apiextensions.k8s.io": (definition) => {
    const spec = fieldsOf(definition.spec);
    const expected = `${String(fieldsOf(spec.names).plural ?? "")}.${String(spec.group ?? "")}`;
    return definition.metadata.name === expected
      ? []
      : [invalidValue("metadata.name", definition.metadata.name, 'must be spec.names.plural+"."+spec.group')];
  },
};

/** What every object's metadata must satisfy. */
export function metadataFaults(object: KubeObject, rule: NameRule): StatusCause[] {
  const { name = "", labels, annotations, finalizers } = object.metadata;
  const fault = nameFault(rule, name);
  return [
    ...(fault ? [invalidValue("metadata.name", name, fault)] : []),
    ...labelFaults(fieldsOf(labels), "metadata.labels"),
    ...(finalizers ?? []).flatMap((finalizer, index) => finalizerFault(finalizer, index)),
    ...Object.entries(fieldsOf(annotations))
      .filter(([, value]) => typeof value !== "string")
      .map(([key, value]) => invalidValue(`metadata.annotations[${key}]`, value, "must be a string")),
  ];
}

const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

function finalizerFault(finalizer: string, index: number): StatusCause[] {
  if (isQualifiedName(finalizer) && (finalizer.includes("/") || standardFinalizers.has(finalizer))) return [];
  const why = "name is neither a standard finalizer name nor is it fully qualified";
  return [invalidValue(`metadata.finalizers[${index}]`, finalizer, why)];
}

function workloadFaults(object: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const spec = fieldsOf(object.spec);
  const faults = nonNegative(spec.replicas, "spec.replicas");
  const labels = fieldsOf(fieldAt(spec, "template", "metadata", "labels"));
  const selector = parseLabelSelectorObject(fieldsOf(spec.selector));
  if (!isJsonObject(spec.selector)) faults.push(requiredValue("spec.selector"));
  if (!isJsonObject(spec.selector) || selector?.(labels) !== true) {
    const shown = Object.keys(labels).length > 0 ? labels : undefined;
    faults.push(
      invalidValue("spec.template.metadata.labels", shown, "`selector` does not match template `labels`"),
    );
  }
  faults.push(...podSpecFaults(fieldsOf(fieldAt(spec, "template", "spec")), "spec.template.spec"));
  if (old && !equalJson(spec.selector, fieldAt(old, "spec", "selector"))) {
    faults.push(immutable("spec.selector", spec.selector));
  }
  return faults;
}

function podSpecFaults(spec: JsonObject, path: string): StatusCause[] {
  const containers = itemsOf(spec.containers);
  if (containers.length === 0) return [requiredValue(`${path}.containers`)];
  return containers.flatMap((item, index) => {
    const at = `${path}.containers[${index}]`;
    const { name, image, ports } = fieldsOf(item);
    const faults: StatusCause[] = [];
    if (!name) faults.push(requiredValue(`${at}.name`));
    const fault = name ? nameFault("label", String(name)) : undefined;
    if (fault) faults.push(invalidValue(`${at}.name`, name, fault));
    if (!image && path !== "spec") faults.push(requiredValue(`${at}.image`));
    for (const [number, port] of itemsOf(ports).entries()) {
      faults.push(...portFaults(fieldsOf(port).containerPort, `${at}.ports[${number}].containerPort`));
    }
    return faults;
  });
}

function fixedPodSpec(pod: KubeObject): JsonObject {
  const { activeDeadlineSeconds, tolerations, terminationGracePeriodSeconds, nodeName, ...spec } = fieldsOf(
    pod.spec,
  );
  const withoutImage = (container: Json): JsonObject => ({ ...fieldsOf(container), image: "" });
  return {
    ...spec,
    containers: itemsOf(spec.containers).map(withoutImage),
    initContainers: itemsOf(spec.initContainers).map(withoutImage),
  };
}

function bindingFaults(binding: KubeObject, old: KubeObject | undefined): StatusCause[] {
  const { name } = fieldsOf(binding.roleRef);
  if (old && !equalJson(old.roleRef, binding.roleRef)) {
    return [invalidValue("roleRef", binding.roleRef, "cannot change roleRef")];
  }
  return name ? [] : [requiredValue("roleRef.name")];
}

function dataFaults(data: Json | undefined, field: string): StatusCause[] {
  return Object.keys(fieldsOf(data)).flatMap((key) => {
    const fault = nameFault("config-key", key);
    return fault ? [invalidValue(`${field}[${key}]`, key, fault)] : [];
  });
}

/** What a Secret or ConfigMap may hold. */
const MAX_DATA_BYTES = 1024 * 1024;

function sizeFaults(size: number, field: string): StatusCause[] {
  if (size <= MAX_DATA_BYTES) return [];
  const message = `Too long: may not be more than ${MAX_DATA_BYTES} bytes`;
  return [{ reason: "FieldValueTooLong", message, field }];
}

function sizeOf(data: Json | undefined, encoding: "utf8" | "base64"): number {
  return Object.values(fieldsOf(data)).reduce<number>(
    (sum, value) => sum + Buffer.byteLength(String(value), encoding),
    0,
  );
}

function missingKeys(data: Json | undefined, keys: readonly string[]): StatusCause[] {
  return keys.filter((key) => fieldsOf(data)[key] === undefined).map((key) => requiredValue(`data[${key}]`));
}

function immutableFaults(
  object: KubeObject,
  old: KubeObject | undefined,
  fields: readonly string[],
): StatusCause[] {
  if (old?.immutable !== true) return [];
  return ["immutable", ...fields]
    .filter((field) => !equalJson(object[field], old[field]))
    .map((field) => ({
      reason: "FieldValueForbidden",
      message: "Forbidden: field is immutable when `immutable` is set",
      field,
    }));
}

function immutable(field: string, value: Json | undefined): StatusCause {
  return invalidValue(field, value, "field is immutable");
}

function nonNegative(value: Json | undefined, field: string): StatusCause[] {
  return typeof value === "number" && value < 0
    ? [invalidValue(field, value, "must be greater than or equal to 0")]
    : [];
}

function portFaults(port: Json | undefined, field: string): StatusCause[] {
  return typeof port === "number" && port >= 1 && port <= 65_535
    ? []
    : [invalidValue(field, port ?? 0, "must be between 1 and 65535, inclusive")];
}
