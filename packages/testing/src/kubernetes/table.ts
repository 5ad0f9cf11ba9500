import { fieldAt, fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ResourceRow } from "./resource-table.ts";

interface Column {
  readonly name: string;
  readonly type?: "integer" | "string";
  /** Shown with `-o wide` only. */
  readonly wide?: true;
  cell(object: KubeObject, now: number): Json;
}

/** meta/v1 Table, with the columns that kubectl is used to. */
export function tableOf(
  row: ResourceRow,
  items: readonly KubeObject[],
  options: {
    readonly metadata: JsonObject;
    readonly now: number;
    readonly includeObject: "None" | "Metadata" | "Object";
  },
): JsonObject {
  const columns: readonly Column[] = [nameColumn, ...(columnsOf[row.storage] ?? []), ageColumn];
  const shown = (object: KubeObject): JsonObject =>
    options.includeObject === "Object"
      ? object
      : { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: options.metadata,
    columnDefinitions: columns.map(({ name, type = "string", wide }) => ({
      name,
      type,
      format: name === "Name" ? "name" : "",
      description: name,
      priority: wide ? 1 : 0,
    })),
    rows: items.map((object) => ({
      cells: columns.map((column) => column.cell(object, options.now)),
      ...(options.includeObject === "None" ? {} : { object: shown(object) }),
    })),
  };
}

const nameColumn: Column = { name: "Name", cell: ({ metadata }) => metadata.name ?? "" };
const ageColumn: Column = {
  name: "Age",
  cell: ({ metadata }, now) => ageOf(metadata.creationTimestamp, now),
};

const columnsOf: Readonly<Record<string, readonly Column[]>> = {
  namespaces: [{ name: "Status", cell: text("status", "phase") }],
  configmaps: [{ name: "Data", type: "integer", cell: dataCount }],
  secrets: [
    { name: "Type", cell: text("type") },
    { name: "Data", type: "integer", cell: dataCount },
  ],
  serviceaccounts: [{ name: "Secrets", type: "integer", cell: (account) => itemsOf(account.secrets).length }],
  pods: [
    { name: "Ready", cell: podReady },
    {
      name: "Status",
      cell: (pod) => (pod.metadata.deletionTimestamp ? "Terminating" : String(pod.status?.phase ?? "")),
    },
    { name: "Restarts", cell: () => "0" },
    { name: "IP", wide: true, cell: text("status", "podIP") },
    { name: "Node", wide: true, cell: text("spec", "nodeName") },
  ],
  services: [
    { name: "Type", cell: text("spec", "type") },
    { name: "Cluster-IP", cell: text("spec", "clusterIP") },
    {
      name: "Port(s)",
      cell: (service) =>
        itemsOf(service.spec?.ports)
          .map((port) => `${String(fieldsOf(port).port)}/${String(fieldsOf(port).protocol)}`)
          .join(","),
    },
  ],
  events: [
    { name: "Type", cell: text("type") },
    { name: "Reason", cell: text("reason") },
    {
      name: "Object",
      cell: (event) => {
        const { kind, name } = fieldsOf(event.involvedObject ?? event.regarding);
        return `${String(kind ?? "").toLowerCase()}/${String(name ?? "")}`;
      },
    },
    { name: "Message", cell: (event) => String(event.message ?? event.note ?? "") },
  ],
  "deployments.apps": [
    {
      name: "Ready",
      cell: (it) => `${number(it, "status", "readyReplicas")}/${number(it, "spec", "replicas")}`,
    },
    { name: "Up-to-date", type: "integer", cell: (it) => number(it, "status", "updatedReplicas") },
    { name: "Available", type: "integer", cell: (it) => number(it, "status", "availableReplicas") },
  ],
  "replicasets.apps": [
    { name: "Desired", type: "integer", cell: (it) => number(it, "spec", "replicas") },
    { name: "Current", type: "integer", cell: (it) => number(it, "status", "replicas") },
    { name: "Ready", type: "integer", cell: (it) => number(it, "status", "readyReplicas") },
  ],
  "leases.coordination.k8s.io": [{ name: "Holder", cell: text("spec", "holderIdentity") }],
  "horizontalpodautoscalers.autoscaling": [
    {
      name: "Reference",
      cell: (it) => {
        const { kind, name } = fieldsOf(fieldAt(it, "spec", "scaleTargetRef"));
        return `${String(kind)}/${String(name)}`;
      },
    },
    { name: "MinPods", cell: (it) => String(number(it, "spec", "minReplicas")) },
    { name: "MaxPods", type: "integer", cell: (it) => number(it, "spec", "maxReplicas") },
    { name: "Replicas", type: "integer", cell: (it) => number(it, "status", "currentReplicas") },
  ],
  "validatingwebhookconfigurations.admissionregistration.k8s.io": webhookColumns(),
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhookColumns(),
  "rolebindings.rbac.authorization.k8s.io": [{ name: "Role", cell: roleOf }],
  "clusterrolebindings.rbac.authorization.k8s.io": [{ name: "Role", cell: roleOf }],
  "certificates.cert-manager.io": [
    { name: "Ready", cell: readyCondition },
    { name: "Secret", cell: text("spec", "secretName") },
  ],
};

function webhookColumns(): readonly Column[] {
  return [{ name: "Webhooks", type: "integer", cell: (it) => itemsOf(it.webhooks).length }];
}

function text(...path: string[]): Column["cell"] {
  return (object) => {
    const value = fieldAt(object, ...path);
    return value === undefined || value === null || value === "" ? "<none>" : String(value);
  };
}

function number(object: KubeObject, ...path: string[]): number {
  const value = fieldAt(object, ...path);
  return typeof value === "number" ? value : 0;
}

function dataCount(object: KubeObject): number {
  return Object.keys(fieldsOf(object.data)).length + Object.keys(fieldsOf(object.binaryData)).length;
}

function podReady(pod: KubeObject): string {
  const statuses = itemsOf(pod.status?.containerStatuses).filter(isJsonObject);
  return `${statuses.filter(({ ready }) => ready === true).length}/${itemsOf(pod.spec?.containers).length}`;
}

function roleOf(binding: KubeObject): string {
  const { kind, name } = fieldsOf(binding.roleRef);
  return `${String(kind)}/${String(name)}`;
}

function readyCondition(object: KubeObject): string {
  const found = itemsOf(object.status?.conditions)
    .filter(isJsonObject)
    .find(({ type }) => type === "Ready");
  return String(found?.status ?? "");
}

/** As kubectl shows ages: the largest units that matter. */
function ageOf(created: string | undefined, now: number): string {
  if (!created) return "<unknown>";
  const seconds = Math.max(0, Math.floor((now - Date.parse(created)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
