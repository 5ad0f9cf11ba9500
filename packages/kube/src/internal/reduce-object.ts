import { isZero, type Shape, type ShapeField } from "./object-shape.ts";

/** An object that came as JSON, with the fields that the shape has: what `decodeMessage` makes of the same object. */
export function reduceObject(object: unknown, shape: Shape): Record<string, unknown> {
  const reduced: Record<string, unknown> = {};
  for (const field of shape.fields) {
    const value = own(object, field.name);
    if (value === undefined || value === null) continue;
    const kept = reduceField(value, field);
    if (kept !== undefined) reduced[field.name] = kept;
  }
  return reduced;
}

function reduceField(value: unknown, field: ShapeField): unknown {
  const { kind, repeated, keys, explicit } = field;
  if (repeated === "map" && typeof value === "object") {
    const entries = Object.entries(value as object).filter(([key]) => keys === undefined || keys.has(key));
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }
  if (Array.isArray(value)) {
    if (value.length === 0 && repeated === "list") return undefined;
    return typeof kind === "object" ? value.map((member) => reduceObject(member, kind)) : value;
  }
  if (typeof kind === "object") return reduceObject(value, kind);
  return explicit || !isZero(value) ? value : undefined;
}

function own(object: unknown, name: string): unknown {
  if (typeof object !== "object" || object === null || !Object.hasOwn(object, name)) return undefined;
  return (object as Readonly<Record<string, unknown>>)[name];
}
