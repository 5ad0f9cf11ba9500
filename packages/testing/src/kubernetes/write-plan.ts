import { checkDecodes } from "./decoding.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";
import { asKubeObject, type KubeObject, keyOf } from "./kube-object.ts";
import type { Manager } from "./managed-fields.ts";
import type { ObjectTable } from "./object-table.ts";
import { apiVersionOf } from "./resource-name.ts";
import { type ResourceRow, toServed, toStored } from "./resource-table.ts";
import {
  alreadyExists,
  badRequest,
  forbidden,
  invalid,
  notFound,
  otherUid,
  StatusError,
  staleWrite,
} from "./status-error.ts";

export type Subresource = "status" | "scale" | undefined;

/** Where a write goes and how it is meant. */
export interface WriteTarget {
  readonly row: ResourceRow;
  /** Undefined for what is in no namespace. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource?: Subresource;
}

/** A write that has been read and not yet admitted: what is there, and what would be. */
export interface WritePlan extends WriteTarget {
  readonly operation: "CREATE" | "UPDATE";
  /** As stored; undefined when this creates. */
  readonly old: KubeObject | undefined;
  /** In the stored form, with defaults; admission may replace it. */
  readonly draft: KubeObject;
  /** Without a version of its own, so that a change in between is no conflict. */
  readonly unconditional: boolean;
  /** Who becomes the owner of what changes; undefined when that is not kept, or has been settled by an apply. */
  readonly manager?: Manager | undefined;
}

export interface PlanContext {
  readonly table: ObjectTable;
  readonly random: () => number;
}

/** A POST of `body` in the served form. */
export function planCreate(
  { table, random }: PlanContext,
  target: Omit<WriteTarget, "name">,
  body: JsonObject,
): WritePlan {
  const { row, namespace } = target;
  const draft = readBody(row, namespace, body);
  const { metadata } = draft;
  if (metadata.resourceVersion) {
    throw new StatusError(500, undefined, "resourceVersion should not be set on objects to be created");
  }
  if (!metadata.name && metadata.generateName) {
    metadata.name = generateName(metadata.generateName, random);
  }
  if (!metadata.name) {
    const message = "Required value: name or generateName is required";
    throw invalid(row, "", [{ reason: "FieldValueRequired", message, field: "metadata.name" }]);
  }
  checkNamespace(table, row, namespace, metadata.name);
  if (table.get(row.storage, keyOf(namespace, metadata.name))) throw alreadyExists(row, metadata.name);
  row.defaults(draft);
  return {
    ...target,
    name: metadata.name,
    operation: "CREATE",
    old: undefined,
    draft,
    unconditional: false,
  };
}

/** A PUT or PATCH: `change` makes the new object, in the served form, of the current one. */
export function planUpdate(
  { table }: PlanContext,
  target: WriteTarget,
  change: (current: KubeObject) => JsonObject,
): WritePlan {
  const { row, namespace, name } = target;
  const old = table.get(row.storage, keyOf(namespace, name));
  if (!old) throw notFound(row, name);
  const draft = readBody(row, namespace, change(toServed(row, old)));
  if (!draft.metadata.name) draft.metadata.name = name;
  if (draft.metadata.name !== name) {
    throw badRequest(
      `the name of the object (${draft.metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  const { resourceVersion = "", uid } = draft.metadata;
  if (uid && uid !== old.metadata.uid) {
    throw otherUid(row, keyOf(namespace, name), uid, old.metadata.uid);
  }
  if (!resourceVersion && !row.unconditionalUpdate) {
    const message = "Invalid value: 0: must be specified for an update";
    throw invalid({ group: row.group, kind: row.resource }, name, [
      { reason: "FieldValueInvalid", message, field: "metadata.resourceVersion" },
    ]);
  }
  if (resourceVersion && resourceVersion !== old.metadata.resourceVersion) throw staleWrite(row, name);
  row.defaults(draft);
  return { ...target, operation: "UPDATE", old, draft, unconditional: !resourceVersion };
}

/** Content is created in namespaces that exist and stay. */
export function checkNamespace(
  table: ObjectTable,
  row: ResourceRow,
  namespace: string | undefined,
  name: string,
): void {
  if (!row.namespaced) return;
  const found = table.get("namespaces", namespace ?? "");
  if (!found) throw notFound({ group: "", resource: "namespaces" }, namespace ?? "");
  if (!found.metadata.deletionTimestamp) return;
  throw forbidden(
    row,
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
    [
      {
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      },
    ],
  );
}

/** The body as stored and ours to change, with its namespace; throws BadRequest for what is none of this resource. */
function readBody(row: ResourceRow, namespace: string | undefined, body: JsonObject): KubeObject {
  const object = asKubeObject(body);
  if (!object) throw badRequest(`the object provided is unrecognized (must be of type ${row.kind})`);
  checkDecodes(row, object);
  const typed = { ...object, apiVersion: object.apiVersion ?? apiVersionOf(row), kind: row.kind };
  const copy = withoutNulls(toStored(row, typed)) as KubeObject;
  if (row.namespaced && copy.metadata.namespace && copy.metadata.namespace !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (row.namespaced && namespace !== undefined) copy.metadata.namespace = namespace;
  else delete copy.metadata.namespace;
  return copy;
}

/** Null is how a field is said to be absent. */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isJsonObject(value)) return value;
  const copy: JsonObject = {};
  for (const [field, item] of Object.entries(value)) {
    if (item !== undefined && item !== null) copy[field] = withoutNulls(item);
  }
  return copy;
}

/** Without vowels, so that no words come of it, as Kubernetes has it. */
const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

function generateName(prefix: string, random: () => number): string {
  const suffix = Array.from({ length: 5 }, () => NAME_ALPHABET[Math.floor(random() * NAME_ALPHABET.length)]);
  return prefix.slice(0, 58) + suffix.join("");
}
