import { type FieldSet, formatPath, itemKey, leavesOf, withoutPath } from "./field-set.ts";
import { cloneJson, equalJson, fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import type { KubeObject, ManagedFieldsEntry } from "./kube-object.ts";
import {
  difference,
  entryOf,
  isManagedBy,
  type ManagedSet,
  type Manager,
  readManagers,
  writeManagers,
} from "./managed-fields.ts";
import { type MergeSchema, mergeSchemaOf } from "./merge-schema.ts";
import type { ResourceRow } from "./resource-table.ts";
import { type StatusCause, StatusError } from "./status-error.ts";

/**
 * What an applied configuration makes of the current object, with its `managedFields`: fields that it has are set and
 * owned, fields that it had before and nobody else owns go. Throws Conflict for fields that others own with another
 * value, unless forced.
 */
export function applyConfiguration(
  row: ResourceRow,
  current: KubeObject,
  configuration: JsonObject,
  manager: Manager & { readonly force: boolean },
): KubeObject {
  const schema = mergeSchemaOf(row);
  const applied: FieldSet = new Set(leavesOf(configuration, schema).keys());
  const managers = readManagers(current);
  const own = managers.find((set) => isManagedBy(set, manager));
  const others = managers.filter((set) => set !== own);

  let merged: JsonObject = mergeApplied(current, withoutManagedFields(configuration), schema);
  const dropped = own ? difference(own.fields, applied) : new Set<string>();
  for (const path of [...dropped].sort()) {
    if (!others.some(({ fields }) => owns(fields, path)) && !ownsBelow(applied, path)) {
      merged = withoutPath(merged, path, schema);
    }
  }
  const before = leavesOf(current, schema);
  const after = leavesOf(merged, schema);
  const changed = new Set(
    [...applied].filter((path) => before.has(path) && !equalJson(before.get(path), after.get(path))),
  );
  const conflicts = others
    .map((set) => ({ set, paths: [...set.fields].filter((path) => changed.has(path)) }))
    .filter(({ paths }) => paths.length > 0);
  if (conflicts.length > 0 && !manager.force) throw applyConflict(conflicts);

  const left = others.map((set) => ({ ...set, fields: difference(set.fields, changed) }));
  const same =
    own &&
    sameFields(own.fields, applied) &&
    equalJson(withoutManagedFields(merged), withoutManagedFields(current));
  const entry: ManagedFieldsEntry = same ? own.entry : entryOf(manager);
  const managedFields = writeManagers([...left, { entry, fields: applied }]);
  const result = merged as KubeObject;
  return { ...result, metadata: { ...result.metadata, managedFields } };
}

function mergeApplied(current: Json | undefined, applied: JsonObject, schema: MergeSchema): JsonObject {
  const merged: JsonObject = { ...fieldsOf(current) };
  for (const [field, value] of Object.entries(applied)) {
    if (value === undefined) continue;
    if (value === null) delete merged[field];
    else merged[field] = mergeValue(merged[field], value, schema.fields?.[field] ?? {});
  }
  return merged;
}

function mergeValue(current: Json | undefined, value: Json, schema: MergeSchema): Json {
  if (isJsonObject(value) && !schema.atomic) return mergeApplied(current, value, schema);
  if (!Array.isArray(value)) return cloneJson(value);
  if (schema.set) {
    const kept = itemsOf(current).filter((item) => !value.some((other) => equalJson(item, other)));
    return [...kept, ...value];
  }
  if (!schema.keys) return cloneJson(value);
  const merged = [...itemsOf(current)];
  for (const item of value.filter(isJsonObject)) {
    const key = itemKey(item, schema);
    const index = merged.findIndex((other) => isJsonObject(other) && itemKey(other, schema) === key);
    const made = mergeApplied(merged[index], item, schema.items ?? {});
    if (index >= 0) merged[index] = made;
    else merged.push(made);
  }
  return merged;
}

function applyConflict(conflicts: readonly { set: ManagedSet; paths: readonly string[] }[]): StatusError {
  const causes: StatusCause[] = conflicts.flatMap(({ set, paths }) =>
    paths.map((path) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${managerText(set)}`,
      field: formatPath(path),
    })),
  );
  const texts = conflicts.map(({ set, paths }) =>
    paths.length === 1
      ? `conflict with ${managerText(set)}: ${formatPath(paths[0] ?? "")}`
      : `conflicts with ${managerText(set)}:\n${paths.map((path) => `- ${formatPath(path)}`).join("\n")}`,
  );
  const count = `${causes.length} conflict${causes.length === 1 ? "" : "s"}`;
  return new StatusError(409, "Conflict", `Apply failed with ${count}: ${texts.join("\n")}`, {
    causes: causes.map((cause) => ({ ...cause })),
  });
}

/** Appliers are known by their name alone, others by the version that they wrote in too. */
function managerText({ entry }: ManagedSet): string {
  const { manager, subresource, operation, apiVersion } = entry;
  const name = `${JSON.stringify(manager)}${subresource ? ` with subresource ${JSON.stringify(subresource)}` : ""}`;
  return operation === "Apply" ? name : `${name} using ${apiVersion}`;
}

/** An item of a list is held by who owns anything in it. */
function owns(fields: FieldSet, path: string): boolean {
  return fields.has(path) || ownsBelow(fields, path);
}

function ownsBelow(fields: FieldSet, path: string): boolean {
  return [...fields].some((other) => other.startsWith(`${path}\n`));
}

function sameFields(a: FieldSet, b: FieldSet): boolean {
  return a.size === b.size && [...a].every((path) => b.has(path));
}

function withoutManagedFields(configuration: JsonObject): JsonObject {
  const { managedFields, ...metadata } = fieldsOf(configuration.metadata);
  return { ...configuration, metadata };
}
