import type {
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from "kubernetes-types/admissionregistration/v1.js";
import type { CustomResourceDefinition } from "kubernetes-types/apiextensions/v1.js";
import type { Deployment } from "kubernetes-types/apps/v1.js";
import type { Lease } from "kubernetes-types/coordination/v1.js";
import type { ConfigMap, Event, Namespace, Pod, Secret, Service } from "kubernetes-types/core/v1.js";
import type { KubeObject, ResourceType } from "./kube-object.ts";

/** The resources that Newleaf itself works with; `defineResource` describes any other. */
export const resources: {
  readonly configMaps: ResourceType<ConfigMap>;
  readonly events: ResourceType<Event>;
  readonly namespaces: ResourceType<Namespace>;
  readonly pods: ResourceType<Pod>;
  readonly secrets: ResourceType<Secret>;
  readonly services: ResourceType<Service>;
  readonly deployments: ResourceType<Deployment>;
  readonly leases: ResourceType<Lease>;
  readonly validatingWebhookConfigurations: ResourceType<ValidatingWebhookConfiguration>;
  readonly mutatingWebhookConfigurations: ResourceType<MutatingWebhookConfiguration>;
  readonly customResourceDefinitions: ResourceType<CustomResourceDefinition>;
  readonly apiServices: ResourceType<ApiService>;
} = {
  configMaps: defineResource("v1", "configmaps", "ConfigMap"),
  events: defineResource("v1", "events", "Event"),
  namespaces: defineResource("v1", "namespaces", "Namespace", { namespaced: false }),
  pods: defineResource("v1", "pods", "Pod"),
  secrets: defineResource("v1", "secrets", "Secret"),
  services: defineResource("v1", "services", "Service"),
  deployments: defineResource("apps/v1", "deployments", "Deployment"),
  leases: defineResource("coordination.k8s.io/v1", "leases", "Lease"),
  validatingWebhookConfigurations: defineResource(
    "admissionregistration.k8s.io/v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    { namespaced: false },
  ),
  mutatingWebhookConfigurations: defineResource(
    "admissionregistration.k8s.io/v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    { namespaced: false },
  ),
  customResourceDefinitions: defineResource(
    "apiextensions.k8s.io/v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    { namespaced: false },
  ),
  apiServices: defineResource("apiregistration.k8s.io/v1", "apiservices", "APIService", {
    namespaced: false,
  }),
};

/** apiregistration.k8s.io/v1, of which kubernetes-types knows nothing. */
export interface ApiService extends KubeObject {
  spec?: {
    caBundle?: string;
    group?: string;
    version?: string;
    service?: { name?: string; namespace?: string; port?: number };
    insecureSkipTLSVerify?: boolean;
    groupPriorityMinimum: number;
    versionPriority: number;
  };
}

/** `apiVersion` is `group/version`, or `v1` for the core group. */
export function defineResource<T extends KubeObject>(
  apiVersion: string,
  resource: string,
  kind: string,
  options: { readonly namespaced?: boolean } = {},
): ResourceType<T> {
  const slash = apiVersion.indexOf("/");
  return Object.freeze({
    group: slash < 0 ? "" : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    resource,
    kind,
    namespaced: options.namespaced ?? true,
  });
}
