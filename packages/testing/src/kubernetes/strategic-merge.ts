import { cloneJson, equalJson, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import type { MergeSchema } from "./merge-schema.ts";

/**
 * Strategic merge patch: lists of named things merge by their key, with the directives `$patch`, `$retainKeys`,
 * `$setElementOrder/` and `$deleteFromPrimitiveList/`. The target is not changed.
 */
export function strategicMerge(target: JsonObject, patch: JsonObject, schema: MergeSchema): JsonObject {
  if (patch.$patch === "replace") return cloneJson(withoutDirectives(patch));
  if (patch.$patch === "delete") return {};
  const merged: JsonObject = { ...target };
  if (Array.isArray(patch.$retainKeys)) {
    const kept = patch.$retainKeys;
    for (const field of Object.keys(merged)) if (!kept.includes(field)) delete merged[field];
  }
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined || name === "$patch" || name === "$retainKeys") continue;
    const [directive, field] = directiveOf(name);
    if (directive === "$setElementOrder") continue;
    if (directive === "$deleteFromPrimitiveList") {
      const gone = itemsOf(value);
      merged[field] = itemsOf(merged[field]).filter((item) => !gone.some((other) => equalJson(item, other)));
      continue;
    }
    if (value === null) delete merged[field];
    else merged[field] = mergeValue(merged[field], value, schema.fields?.[field] ?? {});
  }
  for (const [name, order] of Object.entries(patch)) {
    const [directive, field] = directiveOf(name);
    const list = merged[field];
    if (directive === "$setElementOrder" && Array.isArray(list)) {
      merged[field] = inOrder(list, itemsOf(order), schema.fields?.[field] ?? {});
    }
  }
  return merged;
}

function mergeValue(current: Json | undefined, value: Json, schema: MergeSchema): Json {
  if (isJsonObject(value)) return strategicMerge(isJsonObject(current) ? current : {}, value, schema);
  if (!Array.isArray(value)) return value;
  if (schema.set) {
    const kept = itemsOf(current);
    return [...kept, ...value.filter((item) => !kept.some((other) => equalJson(item, other)))];
  }
  return schema.keys ? mergeList(itemsOf(current), value, schema) : cloneJson(value);
}

function mergeList(current: readonly Json[], patch: readonly Json[], schema: MergeSchema): Json[] {
  const items = patch.filter(isJsonObject);
  if (items.some((item) => item.$patch === "replace" && Object.keys(item).length === 1)) {
    return cloneJson(items.filter((item) => item.$patch === undefined));
  }
  const merged = [...current];
  for (const item of items) {
    const index = merged.findIndex((other) => sameItem(other, item, schema));
    if (item.$patch === "delete") {
      if (index >= 0) merged.splice(index, 1);
      continue;
    }
    const known = merged[index];
    const made = strategicMerge(isJsonObject(known) ? known : {}, item, schema.items ?? {});
    if (index >= 0) merged[index] = made;
    else merged.push(made);
  }
  return merged;
}

/** Items that are named come in that order; others stay before what they stood before. */
function inOrder(list: readonly Json[], order: readonly Json[], schema: MergeSchema): Json[] {
  const rank = (item: Json): number => order.findIndex((other) => sameItem(item, other, schema));
  const named = list.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  for (const item of list.filter((item) => rank(item) < 0)) {
    const index = named.findIndex((other) => list.indexOf(other) > list.indexOf(item));
    named.splice(index < 0 ? named.length : index, 0, item);
  }
  return named;
}

function sameItem(a: Json, b: Json, schema: MergeSchema): boolean {
  const key = schema.keys?.[0];
  if (key === undefined || !isJsonObject(a) || !isJsonObject(b)) return equalJson(a, b);
  return equalJson(a[key], b[key]);
}

function directiveOf(name: string): readonly [directive: string | undefined, field: string] {
  const slash = name.startsWith("$") ? name.indexOf("/") : -1;
  return slash < 0 ? [undefined, name] : [name.slice(0, slash), name.slice(slash + 1)];
}

function withoutDirectives(patch: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(patch).filter(([name]) => !name.startsWith("$")));
}
