import { fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import type { MergeSchema } from "./merge-schema.ts";

/**
 * Paths of fields, as server-side apply owns them. A path is its elements in the words of FieldsV1 (`f:spec`,
 * `k:{"name":"main"}`, `v:"x"`), joined by line feeds.
 */
export type FieldSet = ReadonlySet<string>;

/** The leaves of an object and the items of its keyed lists, each with its value; items have none. */
export function leavesOf(object: JsonObject, schema: MergeSchema): Map<string, Json | undefined> {
  const leaves = new Map<string, Json | undefined>();
  collect(object, schema, "", leaves);
  for (const path of unowned) leaves.delete(path);
  return leaves;
}

/** What nobody owns: who the object is, and what only the server sets. */
const unowned = [
  ["apiVersion"],
  ["kind"],
  ...[
    "name",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
  ].map((field) => ["metadata", field]),
].map((fields) => fields.map((field) => `f:${field}`).join("\n"));

function collect(
  value: Json,
  schema: MergeSchema,
  path: string,
  leaves: Map<string, Json | undefined>,
): void {
  if (isJsonObject(value) && !schema.atomic) {
    const fields = Object.entries(value).filter(([, item]) => item !== undefined);
    if (fields.length === 0 && path !== "") leaves.set(path, value);
    for (const [field, item] of fields) {
      collect(item as Json, schema.fields?.[field] ?? {}, join(path, `f:${field}`), leaves);
    }
    return;
  }
  if (Array.isArray(value) && value.length > 0 && schema.set) {
    for (const item of value) leaves.set(join(path, `v:${JSON.stringify(item)}`), item);
    return;
  }
  if (Array.isArray(value) && value.length > 0 && schema.keys && value.every(isJsonObject)) {
    for (const item of value) {
      const at = join(path, `k:${itemKey(item, schema)}`);
      leaves.set(at, undefined);
      collect(item, schema.items ?? {}, at, leaves);
    }
    return;
  }
  leaves.set(path, value);
}

/** What tells an item of a keyed list from others, as FieldsV1 writes it. */
export function itemKey(item: JsonObject, schema: MergeSchema): string {
  const key: JsonObject = {};
  for (const name of [...(schema.keys ?? [])].sort()) key[name] = item[name] ?? schema.keyDefaults?.[name];
  return JSON.stringify(key);
}

export function toFieldsV1(set: FieldSet): JsonObject {
  const root: JsonObject = {};
  for (const path of [...set].sort()) {
    let node = root;
    for (const element of path.split("\n")) {
      const next = fieldsOf(node[element]);
      node[element] = next;
      node = next;
    }
    // Told from nodes that only have members below them.
    node["."] = {};
  }
  return withoutLeafMarks(root);
}

export function fromFieldsV1(tree: JsonObject): Set<string> {
  const set = new Set<string>();
  const walk = (node: JsonObject, path: string): void => {
    const elements = Object.keys(node);
    if (path !== "" && (elements.length === 0 || elements.includes("."))) set.add(path);
    for (const element of elements) {
      if (element !== ".") walk(fieldsOf(node[element]), join(path, element));
    }
  };
  walk(tree, "");
  return set;
}

/** As people read it: `.spec.containers[name="main"].image`. */
export function formatPath(path: string): string {
  return path
    .split("\n")
    .map((element) => {
      const value = element.slice(2);
      if (element.startsWith("f:")) return `.${value}`;
      if (element.startsWith("v:")) return `[=${value}]`;
      const keys = Object.entries(fieldsOf(JSON.parse(value)));
      return `[${keys.map(([name, key]) => `${name}=${JSON.stringify(key)}`).join(",")}]`;
    })
    .join("");
}

/** The object without what is at the path; lists and maps that are left empty go too. */
export function withoutPath(object: JsonObject, path: string, schema: MergeSchema): JsonObject {
  return fieldsOf(remove(object, path.split("\n"), schema) ?? {});
}

function remove(value: Json | undefined, path: readonly string[], schema: MergeSchema): Json | undefined {
  const [element = "", ...rest] = path;
  const name = element.slice(2);
  if (element.startsWith("f:") && isJsonObject(value)) {
    const { [name]: field, ...others } = value;
    const left = rest.length === 0 ? undefined : remove(field, rest, schema.fields?.[name] ?? {});
    const made = left === undefined ? others : { ...value, [name]: left };
    return Object.keys(made).length === 0 ? undefined : made;
  }
  if (!Array.isArray(value)) return value;
  const found = (item: Json): boolean =>
    element.startsWith("v:") ? JSON.stringify(item) === name : itemKey(fieldsOf(item), schema) === name;
  const items = itemsOf(value).flatMap((item) => {
    if (!found(item)) return [item];
    if (rest.length === 0) return [];
    const left = remove(item, rest, schema.items ?? {});
    return left === undefined ? [] : [left];
  });
  return items.length === 0 ? undefined : items;
}

function withoutLeafMarks(node: JsonObject): JsonObject {
  const elements = Object.keys(node).filter((element) => element !== ".");
  if (elements.length === 0) return {};
  const tree: JsonObject = node["."] ? { ".": {} } : {};
  for (const element of elements) tree[element] = withoutLeafMarks(fieldsOf(node[element]));
  return tree;
}

function join(path: string, element: string): string {
  return path === "" ? element : `${path}\n${element}`;
}
