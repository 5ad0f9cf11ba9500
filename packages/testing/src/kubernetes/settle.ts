import { cloneJson, equalJson, fieldsOf, type JsonObject } from "./json.ts";
import { formatTime, type KubeObject, type ObjectMeta } from "./kube-object.ts";
import { trackUpdate } from "./managed-fields.ts";
import type { NameRule } from "./names.ts";
import type { ResourceRow } from "./resource-table.ts";
import { invalid, type StatusCause } from "./status-error.ts";
import { metadataFaults } from "./validation.ts";
import type { WritePlan } from "./write-plan.ts";

export interface SettleContext {
  now(): number;
  newUid(): string;
}

/**
 * The object that a write would store, of what was asked for and admitted: fields that only the server sets, the part
 * that the path writes to, the generation. Throws Invalid with all causes.
 */
export function settleWrite(context: SettleContext, plan: WritePlan, admitted: KubeObject): KubeObject {
  const { row, old } = plan;
  const object = cloneJson(admitted);
  row.defaults(object);
  const settled = old ? settleUpdate(plan, object, old) : settleCreate(context, row, object);
  const faults: StatusCause[] = [
    ...metadataFaults(settled, nameRuleOf(row)),
    ...(plan.subresource === "status" ? [] : row.validate(settled, old)),
  ];
  if (faults.length > 0) throw invalid(row, plan.name, faults);
  return withManagers(plan, settled);
}

/** Clients send back the managers that they read; whose they are now is for the server to say. */
function withManagers({ row, old, manager }: WritePlan, settled: KubeObject): KubeObject {
  if (!manager) return settled;
  const managedFields = trackUpdate(row, old, settled, manager);
  const { managedFields: _sent, ...metadata } = settled.metadata;
  return { ...settled, metadata: managedFields.length > 0 ? { ...metadata, managedFields } : metadata };
}

function settleCreate(context: SettleContext, row: ResourceRow, object: KubeObject): KubeObject {
  const { deletionTimestamp, deletionGracePeriodSeconds, selfLink, generation, ...metadata } =
    object.metadata;
  if (row.status && row.storage !== "pods" && row.storage !== "namespaces") delete object.status;
  if (row.storage === "pods") object.status = {};
  row.defaults(object);
  return {
    ...object,
    metadata: {
      ...metadata,
      uid: context.newUid(),
      creationTimestamp: formatTime(context.now()),
      ...(row.generation ? { generation: 1 } : {}),
    },
    ...(row.storage === "customresourcedefinitions.apiextensions.k8s.io"
      ? { status: establishedStatus(object, formatTime(context.now())) }
      : {}),
  };
}

function settleUpdate(plan: WritePlan, object: KubeObject, old: KubeObject): KubeObject {
  const { row, subresource } = plan;
  const metadata: ObjectMeta = { ...object.metadata };
  for (const field of SERVER_SET) delete metadata[field];
  for (const [field, value] of Object.entries(old.metadata)) {
    if (SERVER_SET.includes(field)) metadata[field] = value;
  }
  if (metadata.deletionTimestamp) checkFinalizersShrink(plan, metadata, old);
  if (subresource === "status") {
    // A status is written by controllers, who have no say in the rest; annotations are let through.
    const { status } = object;
    metadata.labels = old.metadata.labels ?? {};
    if (!old.metadata.labels) delete metadata.labels;
    return { ...old, metadata, ...(status === undefined ? {} : { status }) };
  }
  const settled: KubeObject = { ...object, metadata };
  if (row.status) {
    if (old.status === undefined) delete settled.status;
    else settled.status = old.status;
  }
  if (row.generation && !equalJson(contentOf(settled), contentOf(old))) {
    metadata.generation = (old.metadata.generation ?? 0) + 1;
  }
  return settled;
}

const SERVER_SET: readonly string[] = [
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "resourceVersion",
];

/** What counts for the generation. */
function contentOf({ metadata, status, ...content }: KubeObject): JsonObject {
  return content;
}

/** While an object is being deleted, finalizers may only go. */
function checkFinalizersShrink(plan: WritePlan, metadata: ObjectMeta, old: KubeObject): void {
  const added = (metadata.finalizers ?? []).filter((name) => !old.metadata.finalizers?.includes(name));
  if (added.length === 0) return;
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`;
  throw invalid(plan.row, plan.name, [
    { reason: "FieldValueForbidden", message, field: "metadata.finalizers" },
  ]);
}

function nameRuleOf(row: ResourceRow): NameRule {
  if (row.storage === "services") return "dns1035";
  if (row.storage === "namespaces") return "label";
  return row.group === "rbac.authorization.k8s.io" ? "path-segment" : "subdomain";
}

/** A definition is in force as soon as it is stored. */
function establishedStatus(definition: KubeObject, time: string): JsonObject {
  const spec = fieldsOf(definition.spec);
  const condition = (type: string, reason: string, message: string): JsonObject => ({
    type,
    status: "True",
    lastTransitionTime: time,
    reason,
    message,
  });
  const versions = Array.isArray(spec.versions) ? spec.versions.map(fieldsOf) : [];
  return {
    conditions: [
      condition("NamesAccepted", "NoConflicts", "no conflicts found"),
      condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ],
    acceptedNames: cloneJson(fieldsOf(spec.names)),
    storedVersions: versions.filter(({ storage }) => storage === true).map(({ name }) => String(name)),
  };
}
