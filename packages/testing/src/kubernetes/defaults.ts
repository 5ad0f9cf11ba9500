import { cloneJson, fieldAt, fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";

/** Fills in, in place, what the API server fills in. */
export type Defaulter = (object: KubeObject) => void;

/** By `resource.group`. */
export const defaulters: Readonly<Record<string, Defaulter>> = {
  namespaces: (namespace) => {
    namespace.metadata.labels = {
      ...namespace.metadata.labels,
      "kubernetes.io/metadata.name": namespace.metadata.name ?? "",
    };
    fill(within(namespace, "spec"), { finalizers: ["kubernetes"] });
    fill(within(namespace, "status"), { phase: "Active" });
  },
  pods: (pod) => {
    const spec = within(pod, "spec");
    podSpec(spec);
    fill(spec, { enableServiceLinks: true, preemptionPolicy: "PreemptLowerPriority", priority: 0 });
    fill(within(pod, "status"), { phase: "Pending", qosClass: "BestEffort" });
  },
  secrets: (secret) => {
    fill(secret, { type: "Opaque" });
    const text = secret.stringData;
    delete secret.stringData;
    if (!isJsonObject(text)) return;
    const data = within(secret, "data");
    for (const [key, value] of Object.entries(text)) {
      if (typeof value === "string") data[key] = Buffer.from(value).toString("base64");
    }
  },
  services: (service) => {
    const spec = within(service, "spec");
    fill(spec, { type: "ClusterIP", sessionAffinity: "None" });
    if (spec.type !== "ExternalName") fill(spec, { internalTrafficPolicy: "Cluster" });
    for (const port of objectsIn(spec.ports)) fill(port, { protocol: "TCP", targetPort: port.port });
    fill(within(service, "status"), { loadBalancer: {} });
  },
  "deployments.apps": (deployment) => {
    const spec = within(deployment, "spec");
    fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
    const strategy = within(spec, "strategy");
    fill(strategy, { type: "RollingUpdate" });
    if (strategy.type === "RollingUpdate") {
      fill(within(strategy, "rollingUpdate"), { maxUnavailable: "25%", maxSurge: "25%" });
    }
    podTemplate(spec);
    within(deployment, "status");
  },
  "replicasets.apps": (set) => {
    fill(within(set, "spec"), { replicas: 1 });
    podTemplate(within(set, "spec"));
    fill(within(set, "status"), { replicas: 0 });
  },
  "statefulsets.apps": (set) => {
    fill(within(set, "spec"), { replicas: 1, podManagementPolicy: "OrderedReady", revisionHistoryLimit: 10 });
    podTemplate(within(set, "spec"));
    fill(within(set, "status"), { replicas: 0 });
  },
  "daemonsets.apps": (set) => podTemplate(within(set, "spec")),
  "horizontalpodautoscalers.autoscaling": (autoscaler) => {
    const spec = within(autoscaler, "spec");
    const target = { type: "Utilization", averageUtilization: 80 };
    fill(spec, { minReplicas: 1, metrics: [{ type: "Resource", resource: { name: "cpu", target } }] });
    fill(within(autoscaler, "status"), { desiredReplicas: 0, currentMetrics: null });
  },
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhooks,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": (configuration) => {
    webhooks(configuration);
    for (const webhook of objectsIn(configuration.webhooks)) fill(webhook, { reinvocationPolicy: "Never" });
  },
  "customresourcedefinitions.apiextensions.k8s.io": (definition) => {
    const spec = within(definition, "spec");
    const names = within(spec, "names");
    const kind = String(names.kind ?? "");
    fill(names, { singular: kind.toLowerCase(), listKind: `${kind}List` });
    fill(spec, { conversion: { strategy: "None" } });
  },
  "apiservices.apiregistration.k8s.io": (service) => {
    const target = fieldAt(service, "spec", "service");
    if (isJsonObject(target)) fill(target, { port: 443 });
  },
};

function webhooks(configuration: KubeObject): void {
  for (const webhook of objectsIn(configuration.webhooks)) {
    fill(webhook, {
      failurePolicy: "Fail",
      matchPolicy: "Equivalent",
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
    });
    for (const rule of objectsIn(webhook.rules)) fill(rule, { scope: "*" });
    const client = fieldsOf(webhook.clientConfig);
    if (isJsonObject(client.service)) fill(client.service, { port: 443 });
    if (client.caBundle === "") delete client.caBundle;
  }
}

function podTemplate(spec: JsonObject): void {
  const template = within(spec, "template");
  podSpec(within(template, "spec"));
  within(template, "metadata");
}

function podSpec(spec: JsonObject): void {
  fill(spec, {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler",
  });
  if (typeof spec.serviceAccountName === "string") fill(spec, { serviceAccount: spec.serviceAccountName });
  for (const container of [...objectsIn(spec.initContainers), ...objectsIn(spec.containers)]) {
    fill(container, {
      resources: {},
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
      imagePullPolicy: pullPolicy(String(container.image ?? "")),
    });
    for (const port of objectsIn(container.ports)) fill(port, { protocol: "TCP" });
    for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
      const found = container[probe];
      if (isJsonObject(found)) {
        fill(found, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
        if (isJsonObject(found.httpGet)) fill(found.httpGet, { path: "/", scheme: "HTTP" });
      }
    }
  }
  for (const volume of objectsIn(spec.volumes)) {
    for (const source of ["secret", "configMap", "projected"]) {
      const found = volume[source];
      if (isJsonObject(found)) fill(found, { defaultMode: 420 });
    }
  }
}

/** `latest`, or no tag, is always pulled. */
function pullPolicy(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const tag = /:([^/]+)$/.exec(image)?.[1];
  return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}

function fill(object: JsonObject, defaults: JsonObject): void {
  for (const [field, value] of Object.entries(defaults)) {
    if (value !== undefined && (object[field] === undefined || object[field] === null)) {
      object[field] = cloneJson(value);
    }
  }
}

/** The object in this field, made when it is not there. */
function within(object: JsonObject, field: string): JsonObject {
  const found = object[field];
  if (isJsonObject(found)) return found;
  const made: JsonObject = {};
  object[field] = made;
  return made;
}

function objectsIn(value: Json | undefined): JsonObject[] {
  return itemsOf(value).filter(isJsonObject);
}
