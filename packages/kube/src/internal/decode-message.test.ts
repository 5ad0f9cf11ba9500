import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { delimited, entries, fixed, together, varint } from "../../test/encode-proto.ts";
import { KubeError } from "../error.ts";
import { decodeMessage } from "./decode-message.ts";
import { createShape } from "./object-shape.ts";
import { explicit, list, map, message, one } from "./proto-message.ts";
import { reduceObject } from "./reduce-object.ts";

const inner = message({ text: explicit(1, "string"), number: one(2, "int") });
const all = message({
  name: one(1, "string"),
  count: one(2, "int"),
  pointer: explicit(3, "int"),
  flag: one(4, "bool"),
  pointedFlag: explicit(5, "bool"),
  data: one(6, "bytes"),
  names: list(7, "string"),
  inner: explicit(8, inner),
  inners: list(9, inner),
  labels: map(10, "string"),
  limits: map(11, "quantity"),
  at: one(12, "time"),
  atMicro: one(13, "microTime"),
  surge: explicit(14, "intOrString"),
  far: one(300, "string"),
});
const whole = createShape(all, true);

interface Inner {
  text: string;
  number?: number;
}
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const inners = fc
  .record({ text, number: fc.integer() })
  .map(({ text, number }): Inner => ({ text, ...(number !== 0 && { number }) }));
const time = fc.date({
  min: new Date("0000-01-01T00:00:00Z"),
  max: new Date("9999-12-31T23:59:59Z"),
  noInvalidDate: true,
});
const objects = fc.record(
  {
    name: text.filter((value) => value !== ""),
    count: fc.maxSafeInteger().filter((value) => value !== 0),
    pointer: fc.integer(),
    flag: fc.constant(true),
    pointedFlag: fc.boolean(),
    data: fc.uint8Array({ minLength: 1 }).map((octets) => Buffer.from(octets).toString("base64")),
    names: fc.array(text, { minLength: 1, maxLength: 5 }),
    inner: inners,
    inners: fc.array(inners, { minLength: 1, maxLength: 3 }),
    labels: fc.dictionary(fc.oneof(text, fc.constant("__proto__")), text, {
      minKeys: 1,
      noNullPrototype: true,
    }),
    at: time.map((date) => `${date.toISOString().slice(0, 19)}Z`),
    atMicro: time.map((date) => `${date.toISOString().slice(0, 23)}000Z`),
    surge: fc.oneof(fc.integer(), text),
    far: text.filter((value) => value !== ""),
  },
  { requiredKeys: [], noNullPrototype: true },
);
type Sample = typeof objects extends fc.Arbitrary<infer T> ? T : never;

function encodeInner(value: Inner): Buffer {
  // Zero is written too, as Go does for what is no pointer.
  return Buffer.concat([delimited(1, value.text), varint(2, value.number ?? 0)]);
}

function encodeTime(value: string): Buffer {
  const ms = Date.parse(value);
  const seconds = Math.floor(ms / 1000);
  return Buffer.concat([varint(1, seconds), varint(2, (ms - seconds * 1000) * 1e6)]);
}

function encode(value: Sample): Buffer {
  const { surge } = value;
  const when = <V>(present: V | undefined, write: (present: V) => Buffer): Buffer =>
    present === undefined ? Buffer.alloc(0) : write(present);
  return Buffer.concat([
    delimited(1, value.name ?? ""),
    varint(2, value.count ?? 0),
    when(value.pointer, (pointer) => varint(3, pointer)),
    varint(4, value.flag ? 1 : 0),
    when(value.pointedFlag, (flag) => varint(5, flag ? 1 : 0)),
    when(value.data, (data) => delimited(6, Buffer.from(data, "base64"))),
    ...(value.names ?? []).map((name) => delimited(7, name)),
    when(value.inner, (of) => delimited(8, encodeInner(of))),
    ...(value.inners ?? []).map((of) => delimited(9, encodeInner(of))),
    entries(10, value.labels ?? {}),
    // What nobody asked for, of each wire type.
    fixed(20, 8),
    fixed(21, 4),
    varint(22, -1),
    delimited(23, "passed over"),
    when(value.at, (at) => delimited(12, encodeTime(at))),
    when(value.atMicro, (at) => delimited(13, encodeTime(at))),
    when(surge, (of) =>
      together(
        14,
        typeof of === "number"
          ? [varint(1, 0), varint(2, of), delimited(3, "")]
          : [varint(1, 1), varint(2, 0), delimited(3, of)],
      ),
    ),
    delimited(300, value.far ?? ""),
  ]);
}

describe("a message", () => {
  test("is the object that JSON would show", () => {
    fc.assert(
      fc.property(objects, (value) => {
        expect(decodeMessage(encode(value), whole)).toStrictEqual(value);
      }),
    );
  });

  test("has what was selected, as the same object in JSON has", () => {
    const selection = {
      name: true,
      inner: { number: true },
      inners: { text: true },
      labels: { a: true },
      surge: true,
    } as const;
    const shape = createShape(all, selection);
    fc.assert(
      fc.property(objects, (value) => {
        const labelled = { ...value, labels: { ...value.labels, a: "1" } };
        expect(decodeMessage(encode(labelled), shape)).toStrictEqual(reduceObject(labelled, shape));
      }),
    );
  });

  test("cut off or altered anywhere throws nothing but a KubeError, and ends", () => {
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(objects, fc.nat(), fc.nat(255), fc.nat()).map(([value, at, octet, length]) => {
        const encoded = encode(value);
        encoded[at % encoded.length] = octet;
        return encoded.subarray(0, (length % encoded.length) + 1);
      }),
    );
    fc.assert(
      fc.property(octets, (bytes) => {
        try {
          decodeMessage(bytes, whole);
        } catch (error) {
          expect(error).toBeInstanceOf(KubeError);
          expect(error).toMatchObject({ code: "ERR_KUBE_PROTOCOL" });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("numbers", () => {
  test.each([
    [0n, 0],
    [127n, 127],
    [128n, 128],
    [2n ** 28n, 2 ** 28],
    [2n ** 31n - 1n, 2 ** 31 - 1],
    [-1n, -1],
    [-(2n ** 31n), -(2 ** 31)],
    [2n ** 53n, 2 ** 53],
    [2n ** 63n - 1n, 2 ** 63],
    [-(2n ** 63n), -(2 ** 63)],
  ])("%s", (written, read) => {
    expect(decodeMessage(varint(3, written), whole)).toEqual({ pointer: read });
  });

  test("of more than ten octets are malformed", () => {
    const bytes = Buffer.concat([Buffer.from([3 << 3]), Buffer.alloc(10, 0x80), Buffer.from([0])]);
    expect(() => decodeMessage(bytes, whole)).toThrow("malformed");
  });
});

test("a quantity is its string, and none is 0", () => {
  const entry = (key: string, value: Buffer): Buffer => together(11, [delimited(1, key), value]);
  const bytes = Buffer.concat([
    entry("cpu", together(2, [delimited(1, "1500m")])),
    entry("memory", Buffer.alloc(0)),
  ]);
  expect(decodeMessage(bytes, whole)).toEqual({ limits: { cpu: "1500m", memory: "0" } });
});

test("a map's value may come before its key", () => {
  const bytes = together(10, [delimited(2, "value"), delimited(1, "key")]);
  expect(decodeMessage(bytes, createShape(all, { labels: { key: true } }))).toEqual({
    labels: { key: "value" },
  });
});

test("Go's zero time is absent, 1970 is not", () => {
  expect(decodeMessage(delimited(12, ""), whole)).toEqual({});
  const epoch = together(12, [varint(1, 0), varint(2, 0)]);
  expect(decodeMessage(epoch, whole)).toEqual({ at: "1970-01-01T00:00:00Z" });
});

test.each([
  ["a time after all that RFC 3339 has", together(12, [varint(1, 253_402_300_800n)])],
  ["nanoseconds below 0", together(13, [varint(1, 1), varint(2, -1)])],
  ["a field of another wire type", varint(1, 1)],
  ["a group", Buffer.from([(50 << 3) | 3])],
  ["the field 0", Buffer.from([0, 0])],
  ["a length beyond the message", Buffer.from([(1 << 3) | 2, 5, 0x61])],
  ["a length below 0", Buffer.concat([Buffer.from([(1 << 3) | 2]), varint(0, -1).subarray(1)])],
  ["a field beyond its own message", together(8, [Buffer.from([(1 << 3) | 2, 9])])],
])("%s is malformed", (_, bytes) => {
  expect(() =>
    decodeMessage(Buffer.concat([bytes, Buffer.alloc(20)]).subarray(0, bytes.length), whole),
  ).toThrow("malformed");
});
