import type { Message, Scalar } from "./proto-message.ts";

/** What is kept of an object, or of a part of one: all, or the fields named; of a list, of each of its members. */
export type SelectedParts = true | { readonly [name: string]: SelectedParts | undefined };

/** A selection, with what is known of how its fields are written. */
export interface Shape {
  readonly fields: readonly ShapeField[];
  /** By the number that a field has in protobuf. */
  readonly byNumber: readonly (ShapeField | undefined)[];
  /** All of it can be read from protobuf. */
  readonly isKnown: boolean;
}

export interface ShapeField {
  readonly name: string;
  readonly number: number | undefined;
  /** "any" is only known to be JSON. */
  readonly kind: Scalar | Shape | "any";
  readonly repeated: "list" | "map" | undefined;
  readonly explicit: boolean;
  /** Of a map; undefined for all. */
  readonly keys: ReadonlySet<string> | undefined;
}

/** `message` is undefined where nothing is known. */
export function createShape(message: Message | undefined, selection: SelectedParts): Shape {
  const names = Object.keys(selection === true ? (message?.fields ?? {}) : selection);
  const fields = names.flatMap((name) => {
    const parts = selection === true ? true : selection[name];
    return parts === undefined ? [] : [createField(message, name, parts)];
  });
  const byNumber: (ShapeField | undefined)[] = [];
  for (const field of fields) {
    if (field.number === undefined) continue;
    while (byNumber.length <= field.number) byNumber.push(undefined);
    byNumber[field.number] = field;
  }
  return { fields, byNumber, isKnown: fields.every(isKnown) };
}

function createField(message: Message | undefined, name: string, parts: SelectedParts): ShapeField {
  const field = message && Object.hasOwn(message.fields, name) ? message.fields[name] : undefined;
  // Of a message that is known in part, all are more fields than are known.
  const whole = typeof field?.kind === "object" && parts === true && !field.kind.complete;
  if (field === undefined || whole) {
    const kind = parts === true ? "any" : createShape(undefined, parts);
    return { name, number: undefined, kind, repeated: undefined, explicit: true, keys: undefined };
  }
  const { number, repeated, explicit } = field;
  const keys = repeated === "map" && parts !== true ? new Set(Object.keys(parts)) : undefined;
  const kind = typeof field.kind === "object" ? createShape(field.kind, parts) : field.kind;
  return { name, number, kind, repeated, explicit, keys };
}

function isKnown({ number, kind }: ShapeField): boolean {
  return number !== undefined && (typeof kind === "string" || kind.isKnown);
}

/** What JSON leaves out of a field that is not explicit. */
export function isZero(value: unknown): boolean {
  return value === "" || value === 0 || value === false;
}
