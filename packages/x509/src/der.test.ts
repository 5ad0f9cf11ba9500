import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkDer, contextTag, DerCursor, type DerLimits, readDer, TAG } from "./der.ts";
import { encode, explicit, integer, nullValue, octetString, sequence, set } from "./der-writer.ts";
import { X509Error } from "./error.ts";

const LIMITS: DerLimits = { maxBytes: 1 << 20, maxDepth: 32, maxElements: 2000 };
const hex = (text: string) => new Uint8Array(Buffer.from(text.replace(/ /g, ""), "hex"));

describe("what is not DER is refused with the offset where it stands", () => {
  test.each([
    ["one octet", "30", "cut short", 0],
    ["content runs out", "30 03 02 01", "past the end", 0],
    ["child longer than its parent", "30 03 02 02 00", "past the end", 2],
    ["indefinite length", "30 80 00 00", "indefinite", 0],
    ["length in two octets that fits one", `30 81 03 02 01 00`, "shortest form", 0],
    ["length with a leading zero octet", `30 82 00 80 ${"05 00".repeat(64)}`, "shortest form", 0],
    ["length of five octets", "30 85 00 00 00 00 00", "more than four", 0],
    ["reserved length 0xff", "30 ff", "more than four", 0],
    ["length octets run out", "30 82 01", "cut short", 0],
    ["high tag number", "3f 1f 00", "above 30", 0],
    ["high tag number, context", "30 03 bf 20 00", "above 30", 2],
    ["end of contents", "30 02 00 00", "not a type", 2],
    ["reserved type 15", "0f 00", "not a type", 0],
    ["primitive SEQUENCE", "10 00", "form", 0],
    ["primitive SET", "11 00", "form", 0],
    ["constructed OCTET STRING", "24 00", "form", 0],
    ["constructed BIT STRING", "23 00", "form", 0],
    ["constructed UTF8String", "2c 00", "form", 0],
    ["constructed INTEGER", "22 00", "form", 0],
  ])("%s", (_, octets, message, offset) => {
    expect(() => checkDer(hex(octets), LIMITS)).toThrowError(
      expect.objectContaining({
        name: "X509Error",
        code: "ERR_X509_DER",
        offset,
        message: expect.stringContaining(message),
      }),
    );
  });
});

describe("bounds", () => {
  const nest = (depth: number) => {
    let value: Uint8Array = nullValue();
    for (let i = 1; i < depth; i++) value = sequence(value);
    return value;
  };

  test("depth", () => {
    expect(checkDer(nest(33), LIMITS)).toBe(33);
    expect(() => checkDer(nest(34), LIMITS)).toThrowError(
      expect.objectContaining({ code: "ERR_X509_LIMIT" }),
    );
  });

  test("a hundred thousand levels end at the limit, not on the stack", () => {
    const deep = new Uint8Array(400_000);
    for (let i = 0; i < deep.length; i += 4) deep.set([0x30, 0x82, 0x01, 0x00], i);
    expect(() => checkDer(deep, LIMITS)).toThrow(X509Error);
  });

  test("elements", () => {
    const wide = sequence(...Array.from({ length: 1999 }, () => nullValue()));
    expect(checkDer(wide, LIMITS)).toBe(2000);
    expect(() => checkDer(sequence(wide), LIMITS)).toThrowError(/more than 2000 elements/);
  });

  test("octets", () => {
    const big = octetString(new Uint8Array(1 << 20));
    expect(() => checkDer(big, LIMITS)).toThrowError(expect.objectContaining({ code: "ERR_X509_LIMIT" }));
  });
});

describe("cursor", () => {
  const bytes = sequence(integer(5), explicit(0, integer(7)), octetString(hex("0102")));

  test("walks children without copying", () => {
    const outer = readDer(bytes, TAG.SEQUENCE, "value");
    const fields = outer.children();
    expect(fields.take(TAG.INTEGER, "number").hex).toBe("05");
    expect(fields.takeOptional(contextTag(1))).toBeUndefined();
    expect(fields.takeOptional(contextTag(0))?.children().take(TAG.INTEGER, "inner").hex).toBe("07");
    const last = fields.read();
    expect(last.content.buffer).toBe(bytes.buffer);
    expect([...last.content]).toEqual([1, 2]);
    expect([...last.raw]).toEqual([4, 2, 1, 2]);
    expect(fields.done).toBe(true);
    expect(() => fields.finish("value")).not.toThrow();
  });

  test("names what it misses and where", () => {
    const fields = readDer(bytes, TAG.SEQUENCE, "value").children();
    expect(() => fields.take(TAG.OID, "algorithm")).toThrowError(
      "algorithm should have tag 0x06 but has tag 0x02 (offset 2)",
    );
    expect(() => new DerCursor(new Uint8Array()).take(TAG.OID, "algorithm")).toThrowError(
      "algorithm is missing",
    );
    expect(() => fields.finish("value")).toThrowError("unexpected data after value (offset 2)");
  });

  test("nothing may follow the one element", () => {
    expect(() => readDer(Buffer.concat([bytes, hex("00")]), TAG.SEQUENCE, "value")).toThrowError(
      /unexpected data/,
    );
  });

  test("works inside of a larger buffer", () => {
    const padded = Buffer.concat([hex("ffff"), bytes, hex("ff")]);
    const element = readDer(padded.subarray(2, 2 + bytes.length), TAG.SEQUENCE, "value");
    expect(Buffer.from(element.raw).equals(bytes)).toBe(true);
  });
});

describe("properties", () => {
  const tree = fc.letrec<{ node: Uint8Array }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5 },
      fc.bigInt({ min: 0n, max: 1n << 200n }).map(integer),
      fc.uint8Array({ maxLength: 300 }).map(octetString),
      fc.array(tie("node"), { maxLength: 4 }).map((parts) => sequence(...parts)),
      fc.array(tie("node"), { maxLength: 4 }).map((parts) => set(...parts)),
      fc.tuple(fc.nat(30), tie("node")).map(([number, part]) => explicit(number, part)),
    ),
  })).node;

  test("what the writer writes is DER, and the cursor gives the same octets back", () => {
    fc.assert(
      fc.property(tree, (der) => {
        checkDer(der, LIMITS);
        expect(Buffer.from(rewrite(der)).equals(der)).toBe(true);
      }),
    );
  });

  test("random octets and damaged DER raise X509Error or nothing", () => {
    const damaged = fc.tuple(tree, fc.nat(), fc.nat(255)).map(([der, at, octet]) => {
      const out = new Uint8Array(der);
      out[at % Math.max(1, out.length)] = octet;
      return out;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged), (octets) => {
        try {
          checkDer(octets, LIMITS);
        } catch (error) {
          expect(error).toBeInstanceOf(X509Error);
          return;
        }
        expect(Buffer.from(rewrite(octets)).equals(octets)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  function rewrite(der: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const cursor = new DerCursor(der); !cursor.done; ) {
      const { tag, content } = cursor.read();
      parts.push(encode(tag, [(tag & 0x20) === 0 ? content : rewrite(content)]));
    }
    return Buffer.concat(parts);
  }
});
