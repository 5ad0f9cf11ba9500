import { defineResource, type KubeObject, type ResourceType } from "@newleaf/kube";
import type { Deployment } from "kubernetes-types/apps/v1.js";
import type { ConfigMap } from "kubernetes-types/core/v1.js";

export function configMap(
  name: string,
  data: Record<string, string> = {},
  metadata: ConfigMap["metadata"] = {},
): ConfigMap {
  return { metadata: { name, ...metadata }, data };
}

export function deployment(name: string, spec: Partial<Deployment["spec"]> = {}): Deployment {
  return {
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: "main", image: "example.com/main:1" }] },
      },
      ...spec,
    },
  };
}

/** autoscaling/v1 Scale, as the subresource of a Deployment. */
export interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas: number; selector?: string };
}

export interface ServiceAccount extends KubeObject {
  automountServiceAccountToken?: boolean;
}

export const serviceAccounts: ResourceType<ServiceAccount> = defineResource(
  "v1",
  "serviceaccounts",
  "ServiceAccount",
);
