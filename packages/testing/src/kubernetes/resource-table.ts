import { type Conversion, conversions } from "./conversion.ts";
import { type Defaulter, defaulters } from "./defaults.ts";
import type { KubeObject } from "./kube-object.ts";
import { apiVersionOf } from "./resource-name.ts";
import { type SelectableFields, selectableFields } from "./selectable-fields.ts";
import { type Validator, validators } from "./validation.ts";

/** A resource as it is served in one group and version: what a REST mapping knows, and how its objects behave. */
export interface ResourceRow {
  readonly group: string;
  readonly version: string;
  /** Plural, as in the path. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** What the objects are kept under; several groups or versions may serve the same ones. */
  readonly storage: string;
  readonly status: boolean;
  readonly scale: boolean;
  /** Counts changes of everything but metadata and status in `metadata.generation`. */
  readonly generation: boolean;
  /** A PUT without resourceVersion is taken; where false, it is 422. */
  readonly unconditionalUpdate: boolean;
  /** A PUT of what does not exist creates it. */
  readonly createOnUpdate: boolean;
  /** DELETE answers with the object; where false, with a Status. */
  readonly returnsDeleted: boolean;
  readonly defaults: Defaulter;
  readonly validate: Validator;
  readonly fields: SelectableFields;
  /** Of a CustomResourceDefinition, or as if. */
  readonly custom: boolean;
  /** Between the form that is served here and the one that is stored. */
  readonly conversion: Conversion | undefined;
}

type Traits = Partial<
  Omit<
    ResourceRow,
    "group" | "version" | "resource" | "kind" | "defaults" | "validate" | "fields" | "conversion"
  >
>;

const workload: Traits = { generation: true, status: true, categories: ["all"] };
const strict: Traits = { unconditionalUpdate: false };
const cluster: Traits = { namespaced: false };

/** Everything that is served from the start. A resource more is a row more; what is not said is as most have it. */
export const builtInResources: readonly ResourceRow[] = [
  defineRow("v1", "namespaces", "Namespace", {
    ...cluster,
    status: true,
    returnsDeleted: true,
    shortNames: ["ns"],
  }),
  defineRow("v1", "nodes", "Node", { ...cluster, status: true, shortNames: ["no"] }),
  defineRow("v1", "pods", "Pod", { ...workload, returnsDeleted: true, shortNames: ["po"] }),
  defineRow("v1", "secrets", "Secret"),
  defineRow("v1", "configmaps", "ConfigMap", { shortNames: ["cm"] }),
  defineRow("v1", "events", "Event", { createOnUpdate: true, shortNames: ["ev"], storage: "events" }),
  defineRow("events.k8s.io/v1", "events", "Event", {
    createOnUpdate: true,
    shortNames: ["ev"],
    storage: "events",
  }),
  defineRow("v1", "services", "Service", {
    status: true,
    returnsDeleted: true,
    createOnUpdate: true,
    shortNames: ["svc"],
    categories: ["all"],
  }),
  defineRow("v1", "serviceaccounts", "ServiceAccount", { returnsDeleted: true, shortNames: ["sa"] }),
  defineRow("v1", "endpoints", "Endpoints", {
    createOnUpdate: true,
    singular: "endpoints",
    shortNames: ["ep"],
  }),
  defineRow("apps/v1", "deployments", "Deployment", { ...workload, scale: true, shortNames: ["deploy"] }),
  defineRow("apps/v1", "replicasets", "ReplicaSet", { ...workload, scale: true, shortNames: ["rs"] }),
  defineRow("apps/v1", "statefulsets", "StatefulSet", { ...workload, scale: true, shortNames: ["sts"] }),
  defineRow("apps/v1", "daemonsets", "DaemonSet", { ...workload, shortNames: ["ds"] }),
  defineRow("batch/v1", "jobs", "Job", workload),
  defineRow("batch/v1", "cronjobs", "CronJob", { ...workload, shortNames: ["cj"] }),
  defineRow("coordination.k8s.io/v1", "leases", "Lease", { ...strict, createOnUpdate: true }),
  defineRow("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", {
    status: true,
    shortNames: ["hpa"],
    categories: ["all"],
  }),
  defineRow("autoscaling/v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", {
    status: true,
    shortNames: ["hpa"],
    categories: ["all"],
  }),
  defineRow(
    "admissionregistration.k8s.io/v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    { ...cluster, ...strict, generation: true, categories: ["api-extensions"] },
  ),
  defineRow(
    "admissionregistration.k8s.io/v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    { ...cluster, ...strict, generation: true, categories: ["api-extensions"] },
  ),
  defineRow("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", {
    ...cluster,
    ...strict,
    generation: true,
    status: true,
    returnsDeleted: true,
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
  }),
  defineRow("apiregistration.k8s.io/v1", "apiservices", "APIService", {
    ...cluster,
    ...strict,
    status: true,
    categories: ["api-extensions"],
  }),
  defineRow("rbac.authorization.k8s.io/v1", "roles", "Role", { createOnUpdate: true }),
  defineRow("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", { createOnUpdate: true }),
  defineRow("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", {
    ...cluster,
    createOnUpdate: true,
  }),
  defineRow("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", {
    ...cluster,
    createOnUpdate: true,
  }),
  defineRow("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", {
    generation: true,
    status: true,
    shortNames: ["pdb"],
  }),
  defineRow("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", {
    generation: true,
    singular: "networkpolicy",
    shortNames: ["netpol"],
  }),
  defineRow("cert-manager.io/v1", "certificates", "Certificate", customTraits({ shortNames: ["cert"] })),
  defineRow(
    "cert-manager.io/v1",
    "certificaterequests",
    "CertificateRequest",
    customTraits({ shortNames: ["cr"] }),
  ),
];

/** `apiVersion` is `group/version`, or `v1` for the core group. */
export function defineRow(
  apiVersion: string,
  resource: string,
  kind: string,
  traits: Traits = {},
): ResourceRow {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const name = group ? `${resource}.${group}` : resource;
  return Object.freeze({
    group,
    version: apiVersion.slice(slash + 1),
    resource,
    kind,
    singular: kind.toLowerCase(),
    namespaced: true,
    shortNames: [],
    categories: [],
    storage: name,
    status: false,
    scale: false,
    generation: false,
    unconditionalUpdate: true,
    createOnUpdate: false,
    returnsDeleted: false,
    custom: false,
    defaults: defaulters[name] ?? (() => {}),
    validate: validators[name] ?? (() => []),
    fields: selectableFields[name] ?? {},
    conversion: conversions[`${apiVersion}/${resource}`],
    ...traits,
  });
}

/** How every custom resource behaves. */
export function customTraits(more: Traits = {}): Traits {
  return { ...strict, generation: true, status: true, returnsDeleted: true, custom: true, ...more };
}

/** In the form that is served here. */
export function toServed(row: ResourceRow, stored: KubeObject): KubeObject {
  if (row.conversion) return row.conversion.toServed(stored);
  // Versions of a custom resource differ in nothing else.
  const apiVersion = apiVersionOf(row);
  return stored.apiVersion === apiVersion ? stored : { ...stored, apiVersion };
}

export function toStored(row: ResourceRow, served: KubeObject): KubeObject {
  return row.conversion ? row.conversion.toStored(served) : served;
}
