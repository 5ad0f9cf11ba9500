import { type FieldSet, fromFieldsV1, leavesOf, toFieldsV1 } from "./field-set.ts";
import { equalJson, fieldsOf, type Json } from "./json.ts";
import { formatTime, type KubeObject, type ManagedFieldsEntry } from "./kube-object.ts";
import { mergeSchemaOf } from "./merge-schema.ts";
import type { ResourceRow } from "./resource-table.ts";

/** Who writes, and how. */
export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** One manager and the fields that it owns. */
export interface ManagedSet {
  readonly entry: ManagedFieldsEntry;
  readonly fields: FieldSet;
}

export function readManagers(object: KubeObject): readonly ManagedSet[] {
  return (object.metadata.managedFields ?? []).map((entry) => ({
    entry,
    fields: fromFieldsV1(fieldsOf(entry.fieldsV1)),
  }));
}

/** Those that own anything, as `metadata.managedFields` has them. */
export function writeManagers(sets: readonly ManagedSet[]): ManagedFieldsEntry[] {
  return sets
    .filter(({ fields }) => fields.size > 0)
    .map(({ entry, fields }) => ({ ...entry, fieldsType: "FieldsV1", fieldsV1: toFieldsV1(fields) }));
}

export function isManagedBy({ entry }: ManagedSet, manager: Manager): boolean {
  return (
    entry.manager === manager.name &&
    entry.operation === manager.operation &&
    entry.apiVersion === manager.apiVersion &&
    entry.subresource === manager.subresource
  );
}

export function entryOf(manager: Manager): ManagedFieldsEntry {
  const { name, operation, apiVersion, subresource, now } = manager;
  return {
    manager: name,
    operation,
    apiVersion,
    time: formatTime(now),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

/** After a create, PUT or patch: what was changed is the writer's, and no longer anybody else's. */
export function trackUpdate(
  row: ResourceRow,
  old: KubeObject | undefined,
  updated: KubeObject,
  manager: Manager,
): ManagedFieldsEntry[] {
  const before = old ? ownedLeaves(row, old, manager) : new Map<string, Json | undefined>();
  const after = ownedLeaves(row, updated, manager);
  const changed = [...after].filter(
    ([path, value]) => !before.has(path) || !equalJson(before.get(path), value),
  );
  const taken = new Set(changed.map(([path]) => path));
  const gone = [...before.keys()].filter((path) => !after.has(path));
  const managers = old ? readManagers(old) : [];
  if (taken.size === 0 && gone.length === 0) return old?.metadata.managedFields ?? [];
  const lost = new Set([...taken, ...gone]);
  const own = managers.find((set) => isManagedBy(set, manager));
  const others = managers.map((set) =>
    set === own ? set : { ...set, fields: difference(set.fields, lost) },
  );
  if (taken.size === 0 && !own) return writeManagers(others);
  const fields = new Set([...difference(own?.fields ?? new Set(), new Set(gone)), ...taken]);
  const mine = { entry: taken.size > 0 || !own ? entryOf(manager) : own.entry, fields };
  return writeManagers([...others.filter((set) => set !== own), mine]);
}

/** Writers of an object do not own its status, and those of the status own nothing else. */
function ownedLeaves(row: ResourceRow, object: KubeObject, manager: Manager): Map<string, Json | undefined> {
  if (!row.status) return leavesOf(object, mergeSchemaOf(row));
  const { status, ...rest } = object;
  if (manager.subresource !== "status") return leavesOf(rest, mergeSchemaOf(row));
  return leavesOf(status === undefined ? {} : { status }, mergeSchemaOf(row));
}

export function difference(set: FieldSet, without: FieldSet): FieldSet {
  return new Set([...set].filter((path) => !without.has(path)));
}
