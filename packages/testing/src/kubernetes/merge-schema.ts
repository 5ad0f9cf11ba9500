import type { ResourceRow } from "./resource-table.ts";

/** How a field merges, where it is not as JSON suggests: objects by field, lists as a whole. */
export interface MergeSchema {
  readonly fields?: Readonly<Record<string, MergeSchema>>;
  /** A list of objects that these fields tell apart (`listType=map`); the first is the key of strategic merges. */
  readonly keys?: readonly string[];
  /** Values of key fields that need not be said. */
  readonly keyDefaults?: Readonly<Record<string, string>>;
  /** Of each item of a list. */
  readonly items?: MergeSchema;
  /** A list of values in which each is once (`listType=set`). */
  readonly set?: true;
  /** An object that is one value. */
  readonly atomic?: true;
}

/** The schema of a resource's objects; custom resources have that of metadata alone. */
export function mergeSchemaOf(row: Pick<ResourceRow, "storage">): MergeSchema {
  return schemas[row.storage] ?? plain;
}

const atomic: MergeSchema = { atomic: true };
const listBy = (keys: readonly string[], fields?: MergeSchema["fields"]): MergeSchema => ({
  keys,
  items: fields ? { fields } : {},
});

const metadata: MergeSchema = {
  fields: { finalizers: { set: true }, ownerReferences: listBy(["uid"]), managedFields: atomic },
};
const conditions = listBy(["type"]);
const ports: MergeSchema = { ...listBy(["containerPort", "protocol"]), keyDefaults: { protocol: "TCP" } };

const container: NonNullable<MergeSchema["fields"]> = {
  ports,
  env: listBy(["name"], {
    valueFrom: { fields: { secretKeyRef: atomic, configMapKeyRef: atomic, fieldRef: atomic } },
  }),
  volumeMounts: listBy(["mountPath"]),
  volumeDevices: listBy(["devicePath"]),
};

const podSpec: MergeSchema = {
  fields: {
    containers: listBy(["name"], container),
    initContainers: listBy(["name"], container),
    ephemeralContainers: listBy(["name"], container),
    volumes: listBy(["name"]),
    imagePullSecrets: listBy(["name"]),
    hostAliases: listBy(["ip"]),
    topologySpreadConstraints: listBy(["topologyKey", "whenUnsatisfiable"]),
    nodeSelector: atomic,
  },
};

const plain: MergeSchema = { fields: { metadata } };
const template: MergeSchema = { fields: { metadata, spec: podSpec } };
const workload: MergeSchema = {
  fields: {
    metadata,
    spec: { fields: { template, selector: atomic } },
    status: { fields: { conditions } },
  },
};

const webhookConfiguration: MergeSchema = {
  fields: {
    metadata,
    webhooks: listBy(["name"], { namespaceSelector: atomic, objectSelector: atomic }),
  },
};

const schemas: Readonly<Record<string, MergeSchema>> = {
  pods: {
    fields: {
      metadata,
      spec: podSpec,
      status: { fields: { conditions, podIPs: listBy(["ip"]), hostIPs: atomic } },
    },
  },
  "deployments.apps": workload,
  "replicasets.apps": workload,
  "statefulsets.apps": workload,
  "daemonsets.apps": workload,
  services: {
    fields: {
      metadata,
      spec: {
        fields: {
          ports: { ...listBy(["port", "protocol"]), keyDefaults: { protocol: "TCP" } },
          selector: atomic,
        },
      },
      status: { fields: { conditions } },
    },
  },
  serviceaccounts: { fields: { metadata, secrets: listBy(["name"]) } },
  namespaces: { fields: { metadata, status: { fields: { conditions } } } },
  events: { fields: { metadata, involvedObject: atomic } },
  "clusterroles.rbac.authorization.k8s.io": { fields: { metadata, aggregationRule: atomic } },
  "rolebindings.rbac.authorization.k8s.io": { fields: { metadata, roleRef: atomic } },
  "clusterrolebindings.rbac.authorization.k8s.io": { fields: { metadata, roleRef: atomic } },
  "horizontalpodautoscalers.autoscaling": {
    fields: { metadata, spec: { fields: { scaleTargetRef: atomic } }, status: { fields: { conditions } } },
  },
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfiguration,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhookConfiguration,
  "apiservices.apiregistration.k8s.io": { fields: { metadata, status: { fields: { conditions } } } },
  "customresourcedefinitions.apiextensions.k8s.io": {
    fields: { metadata, status: { fields: { conditions } } },
  },
};
