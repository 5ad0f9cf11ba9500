import { createShape, isZero, type Shape, type ShapeField } from "./object-shape.ts";
import { message, one } from "./proto-message.ts";
import { malformed, ProtoReader, WireType } from "./proto-reader.ts";

/** The fields that the shape has, as JSON would show them; all others are passed over undecoded. */
export function decodeMessage(bytes: Uint8Array, shape: Shape): Record<string, unknown> {
  return readMessage(new ProtoReader(bytes), bytes.length, shape);
}

type Values = Record<string, unknown>;

/** The same of what the reader is at, up to `end`, put into `values`. */
export function readMessage(
  reader: ProtoReader,
  end: number,
  { byNumber }: Shape,
  values: Record<string, unknown> = {},
): Record<string, unknown> {
  while (reader.at < end) {
    const tag = reader.tag(end);
    const field = byNumber[tag >>> 3];
    if (field === undefined) reader.skip(tag & 7, end);
    else readField(reader, end, tag & 7, field, values);
  }
  return values;
}

function readField(
  reader: ProtoReader,
  end: number,
  wireType: number,
  field: ShapeField,
  into: Values,
): void {
  const { name, kind, repeated } = field;
  const wanted = kind === "int" || kind === "bool" ? WireType.varint : WireType.length;
  if (wireType !== wanted) throw malformed();
  if (repeated === "map") {
    readEntry(reader, reader.delimited(end), field, into);
    return;
  }
  const value = readValue(reader, end, kind);
  if (repeated === "list") {
    into[name] ??= [];
    (into[name] as unknown[]).push(value);
  } else if (value !== undefined && (field.explicit || !isZero(value))) {
    into[name] = value;
  }
}

function readValue(reader: ProtoReader, end: number, kind: ShapeField["kind"]): unknown {
  if (kind === "int") return reader.int(end);
  if (kind === "bool") return reader.int(end) !== 0;
  const to = reader.delimited(end);
  if (kind === "string") return reader.string(to);
  if (typeof kind === "object") return readMessage(reader, to, kind);
  switch (kind) {
    case "bytes":
      return reader.take(to).toString("base64");
    case "octets":
      return reader.take(to);
    case "time":
    case "microTime":
      return readTime(reader, to, kind);
    case "quantity":
      return readMessage(reader, to, QUANTITY).string ?? "0";
    case "intOrString": {
      const { type, int = 0, string = "" } = readMessage(reader, to, INT_OR_STRING);
      return type === 1 ? string : int;
    }
    default:
      throw malformed();
  }
}

/** A member of a map: a message of a key and a value, of which each may be left out when it is zero. */
function readEntry(reader: ProtoReader, end: number, field: ShapeField, into: Values): void {
  const { name, kind, keys } = field;
  let key = "";
  let valueAt: number | undefined;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === KEY) {
      key = reader.string(reader.delimited(end));
    } else {
      if (tag === VALUE) valueAt = reader.at;
      reader.skip(tag & 7, end);
    }
  }
  if (keys !== undefined && !keys.has(key)) return;
  let value: unknown = kind === "quantity" ? "0" : "";
  if (valueAt !== undefined) {
    reader.at = valueAt;
    value = readValue(reader, end, kind);
    reader.at = end;
  }
  into[name] ??= {};
  const values = into[name] as Values;
  if (key !== "__proto__") values[key] = value;
  else Object.defineProperty(values, key, { value, enumerable: true, writable: true, configurable: true });
}

const KEY = (1 << 3) | WireType.length;
const VALUE = (2 << 3) | WireType.length;

/** RFC 3339 in UTC, as Go writes it; undefined for Go's zero time, which has nothing in it. */
function readTime(reader: ProtoReader, end: number, kind: "time" | "microTime"): string | undefined {
  if (reader.at === end) return undefined;
  const { seconds = 0, nanos = 0 } = readMessage(reader, end, TIMESTAMP) as {
    seconds?: number;
    nanos?: number;
  };
  if (seconds < YEAR_0 || seconds >= YEAR_10000 || nanos < 0 || nanos >= 1e9) throw malformed();
  if (kind === "time") return reader.time(seconds);
  const micros = String(Math.floor(nanos / 1000)).padStart(6, "0");
  return reader.time(seconds).replace("Z", `.${micros}Z`);
}

const YEAR_0 = -62_167_219_200;
const YEAR_10000 = 253_402_300_800;

const TIMESTAMP = createShape(message({ seconds: one(1, "int"), nanos: one(2, "int") }), true);
const QUANTITY = createShape(message({ string: one(1, "string") }), true);
const INT_OR_STRING = createShape(
  message({ type: one(1, "int"), int: one(2, "int"), string: one(3, "string") }),
  true,
);
