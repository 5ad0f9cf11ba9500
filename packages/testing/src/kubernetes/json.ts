/** A JSON value; `undefined` stands for a field that is not there. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [field: string]: Json | undefined;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object in this field, or an empty one that belongs to nobody. */
export function fieldsOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

export function itemsOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function cloneJson<T extends Json>(value: T): T {
  if (Array.isArray(value)) return value.map((item) => cloneJson(item)) as T;
  if (!isJsonObject(value)) return value;
  const copy: JsonObject = {};
  for (const field of Object.keys(value)) {
    const item = value[field];
    if (item !== undefined) copy[field] = cloneJson(item);
  }
  return copy as T;
}

export function equalJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => equalJson(item, b[index]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const fields = Object.keys(a).filter((field) => a[field] !== undefined);
  if (fields.length !== Object.keys(b).filter((field) => b[field] !== undefined).length) return false;
  return fields.every((field) => equalJson(a[field], b[field]));
}

/** What is stored is shared by all readers, so nobody may change it. */
export function freezeJson<T extends Json>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const item of Object.values(value)) if (item !== undefined) freezeJson(item);
  return Object.freeze(value);
}

/** The value at a path of fields, or undefined. */
export function fieldAt(value: Json | undefined, ...path: string[]): Json | undefined {
  let found: Json | undefined = value;
  for (const field of path) found = fieldsOf(found)[field];
  return found;
}
