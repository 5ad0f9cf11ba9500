import { cloneJson, equalJson, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import type { MergeSchema } from "./merge-schema.ts";
import { StatusError } from "./status-error.ts";

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
  for (const [field, list] of Object.entries(merged)) {
    const order = patch[`$setElementOrder/${field}`] ?? patch[field];
    const known = schema.fields?.[field] ?? {};
    if (Array.isArray(list) && Array.isArray(order) && (known.keys || known.set)) {
      merged[field] = inOrder(list, order, itemsOf(target[field]), known);
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
    const key = schema.keys?.[0] ?? "";
    if (item[key] === undefined) {
      const message = `map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`;
      throw new StatusError(500, undefined, message);
    }
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

/**
 * What the patch names comes in its order, the rest stays before those that it stood before; new items come before
 * what was there.
 */
function inOrder(
  list: readonly Json[],
  order: readonly Json[],
  before: readonly Json[],
  schema: MergeSchema,
): Json[] {
  const rank = (item: Json, of: readonly Json[]): number =>
    of.findIndex((other) => sameItem(item, other, schema));
  const named = list.filter((item) => rank(item, order) >= 0).sort((a, b) => rank(a, order) - rank(b, order));
  const rest = list.filter((item) => rank(item, order) < 0);
  const ordered: Json[] = [];
  while (named.length > 0 || rest.length > 0) {
    const [left, right] = [rest[0], named[0]];
    const restFirst =
      left !== undefined &&
      (right === undefined || (rank(right, before) >= 0 && rank(left, before) < rank(right, before)));
    ordered.push(...(restFirst ? rest.splice(0, 1) : named.splice(0, 1)));
  }
  return ordered;
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
