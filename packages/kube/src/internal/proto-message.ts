/**
 * How a value is written: protobuf's own kinds, and messages that JSON shows as one string or number. "bytes" are
 * base64 as in JSON, "octets" are what envelopes have in them, not decoded.
 */
export type Scalar =
  | "string"
  | "int"
  | "bool"
  | "bytes"
  | "octets"
  | "time"
  | "microTime"
  | "quantity"
  | "intOrString";

export interface Field {
  readonly number: number;
  readonly kind: Scalar | Message;
  readonly repeated: "list" | "map" | undefined;
  /** Zero is a value, and other than absent: a pointer in Go, or what JSON always has. */
  readonly explicit: boolean;
}

/** A message of the API by the names that its fields have in JSON. */
export interface Message {
  readonly fields: Readonly<Record<string, Field>>;
  /** There is no other field that the API shows. */
  readonly complete: boolean;
}

export function message(fields: Message["fields"]): Message {
  return { fields, complete: true };
}

export function partOfMessage(fields: Message["fields"]): Message {
  return { fields, complete: false };
}

/** A field that JSON leaves out when it is zero. */
export function one(number: number, kind: Field["kind"]): Field {
  return { number, kind, repeated: undefined, explicit: false };
}

export function explicit(number: number, kind: Field["kind"]): Field {
  return { number, kind, repeated: undefined, explicit: true };
}

export function list(number: number, kind: Field["kind"]): Field {
  return { number, kind, repeated: "list", explicit: false };
}

/** From strings. */
export function map(number: number, kind: "string" | "bytes" | "quantity"): Field {
  return { number, kind, repeated: "map", explicit: false };
}
