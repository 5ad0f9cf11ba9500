import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Json, JsonObject } from "./json.ts";
import { messageFields } from "./protobuf-fields.ts";

/** How protobuf objects begin: a magic number before a runtime.Unknown. */
const MAGIC = Buffer.from("k8s\0");

/**
 * The JSON of an object that was sent as `application/vnd.kubernetes.protobuf`, as kubectl and client-go send typed
 * ones. Undefined for kinds and fields that are not known here, which is then 415.
 */
export function protobufToJson(octets: Uint8Array): JsonObject | undefined {
  if (!Buffer.from(octets.subarray(0, MAGIC.length)).equals(MAGIC)) return undefined;
  try {
    const unknown = readFields(octets.subarray(MAGIC.length));
    const type = readFields(unknown.get(1)?.[0]?.octets ?? new Uint8Array());
    const apiVersion = textOf(type.get(1)?.[0]);
    const kind = textOf(type.get(2)?.[0]);
    return { apiVersion, kind, ...readMessage(kind, unknown.get(2)?.[0]?.octets ?? new Uint8Array()) };
  } catch {
    return undefined;
  }
}

interface WireValue {
  /** Of varints. */
  readonly number: number;
  /** Of everything that has a length. */
  readonly octets: Uint8Array;
}

function readFields(octets: Uint8Array): Map<number, WireValue[]> {
  const reader = new BinaryReader(octets);
  const fields = new Map<number, WireValue[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value: WireValue =
      type === WireType.Varint
        ? { number: Number(reader.int64()), octets: new Uint8Array() }
        : { number: 0, octets: readOctets(reader, type) };
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function readOctets(reader: BinaryReader, type: WireType): Uint8Array {
  if (type === WireType.LengthDelimited) return reader.bytes();
  throw new Error(`wire type ${type} at ${reader.pos}`);
}

function readMessage(name: string, octets: Uint8Array): JsonObject {
  const table = messageFields[name];
  if (table === undefined) throw new Error(`no message ${name}`);
  const known = new Map(
    table
      .split(" ")
      .filter(Boolean)
      .map((field) => {
        const [number, key = "", type = ""] = field.split(":");
        return [Number(number), { key, type }] as const;
      }),
  );
  const object: JsonObject = {};
  for (const [number, values] of readFields(octets)) {
    const field = known.get(number);
    if (field) {
      const value = readField(field.type, values);
      if (value !== undefined) object[field.key] = value;
    } else if (!values.every(isZero)) {
      throw new Error(`no field ${number} of ${name}`);
    }
  }
  return object;
}

/** Go sends messages that hold only zeros, such as the status of what has none. */
function isZero({ number, octets }: WireValue): boolean {
  if (number !== 0 || octets.length === 0) return number === 0;
  try {
    return [...readFields(octets).values()].every((values) => values.every(isZero));
  } catch {
    return false;
  }
}

function readField(type: string, values: readonly WireValue[]): Json | undefined {
  if (type.startsWith("[]")) {
    return values.map((value) => readValue(type.slice(2), value, true)).filter((item) => item !== undefined);
  }
  if (type.endsWith("map")) {
    const item = { map: "string", bytemap: "bytes", quantitymap: "quantity", extramap: "extra" }[type] ?? "";
    return Object.fromEntries(
      values.map(({ octets }) => {
        const entry = readFields(octets);
        const value = entry.get(2)?.[0] ?? { number: 0, octets: new Uint8Array() };
        return [textOf(entry.get(1)?.[0]), readValue(item, value, true)];
      }),
    );
  }
  const value = values.at(-1);
  return value && readValue(type, value, false);
}

/** Zero values of fields that are not marked are what Go leaves out of JSON. */
function readValue(type: string, value: WireValue, keepEmpty: boolean): Json | undefined {
  const { number, octets } = value;
  switch (type) {
    case "string":
      return octets.length > 0 || keepEmpty ? textOf(value) : undefined;
    case "bytes":
      return octets.length > 0 || keepEmpty ? Buffer.from(octets).toString("base64") : undefined;
    case "integer":
      return number !== 0 ? number : undefined;
    case "integer*":
      return number;
    case "bool":
      return number !== 0 ? true : undefined;
    case "bool*":
      return number !== 0;
    case "quantity":
      return textOf(readFields(octets).get(1)?.[0]);
    case "extra":
      return (readFields(octets).get(1) ?? []).map(textOf);
    case "intorstring": {
      const parts = readFields(octets);
      return parts.get(1)?.[0]?.number === 1 ? textOf(parts.get(3)?.[0]) : (parts.get(2)?.[0]?.number ?? 0);
    }
    case "time":
    case "microtime":
      return readTime(octets, type === "microtime");
    default: {
      const message = readMessage(type, octets);
      return Object.keys(message).length > 0 || keepEmpty ? message : undefined;
    }
  }
}

function readTime(octets: Uint8Array, micro: boolean): string | undefined {
  const parts = readFields(octets);
  const seconds = parts.get(1)?.[0]?.number;
  if (seconds === undefined) return undefined;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  const micros = Math.floor((parts.get(2)?.[0]?.number ?? 0) / 1000);
  return micro ? `${text}.${String(micros).padStart(6, "0")}Z` : `${text}Z`;
}

function textOf(value: WireValue | undefined): string {
  return Buffer.from(value?.octets ?? []).toString();
}
