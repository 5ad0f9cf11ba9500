import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DerCursor, type DerElement, TAG } from "./der.ts";
import {
  readBitString,
  readBitStringOctets,
  readBoolean,
  readIntegerHex,
  readOid,
  readSmallInteger,
} from "./der-values.ts";
import { bitString, encode, integer, namedBits, oid } from "./der-writer.ts";

const element = (tag: number, hex: string) => read(encode(tag, [Buffer.from(hex.replace(/ /g, ""), "hex")]));
const read = (der: Uint8Array): DerElement => new DerCursor(der).read();

test("booleans", () => {
  expect(readBoolean(element(TAG.BOOLEAN, "ff"))).toBe(true);
  expect(readBoolean(element(TAG.BOOLEAN, "00"))).toBe(false);
  expect(() => readBoolean(element(TAG.BOOLEAN, "01"))).toThrowError(/neither/);
  expect(() => readBoolean(element(TAG.BOOLEAN, "ffff"))).toThrowError(/one octet/);
  expect(() => readBoolean(element(TAG.BOOLEAN, ""))).toThrowError(/one octet/);
  const quirks: string[] = [];
  expect(readBoolean(element(TAG.BOOLEAN, "01"), (code) => quirks.push(code))).toBe(true);
  expect(quirks).toEqual(["boolean_encoding"]);
});

describe("integers", () => {
  test("hex is as on the wire, in the shortest form only", () => {
    expect(readIntegerHex(element(TAG.INTEGER, "00ff"))).toBe("00ff");
    expect(readIntegerHex(element(TAG.INTEGER, "ff"))).toBe("ff");
    expect(readIntegerHex(element(TAG.INTEGER, "00"))).toBe("00");
    expect(() => readIntegerHex(element(TAG.INTEGER, ""))).toThrowError(/without octets/);
    expect(() => readIntegerHex(element(TAG.INTEGER, "007f"))).toThrowError(/shortest/);
    expect(() => readIntegerHex(element(TAG.INTEGER, "ff80"))).toThrowError(/shortest/);
  });

  test("small ones within their range", () => {
    expect(readSmallInteger(element(TAG.INTEGER, "0100"), 300, "n")).toBe(256);
    expect(() => readSmallInteger(element(TAG.INTEGER, "0100"), 255, "n")).toThrowError(
      "n is not between 0 and 255",
    );
    expect(() => readSmallInteger(element(TAG.INTEGER, "ff"), 255, "n")).toThrowError(/between/);
    expect(() => readSmallInteger(element(TAG.INTEGER, `7f${"ff".repeat(200)}`), 255, "n")).toThrowError(
      /between/,
    );
  });

  test("what is written is read", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 300n }), (value) => {
        expect(BigInt(`0x${readIntegerHex(read(integer(value)))}`)).toBe(value);
      }),
    );
    expect(readIntegerHex(read(integer(Uint8Array.of(0, 0, 0x80))))).toBe("0080");
    expect(readIntegerHex(read(integer(new Uint8Array())))).toBe("00");
  });
});

describe("object identifiers", () => {
  test.each([
    ["2a864886f70d01010b", "1.2.840.113549.1.1.11"],
    ["550403", "2.5.4.3"],
    ["00", "0.0"],
    ["27", "0.39"],
    ["28", "1.0"],
    ["4f", "1.39"],
    ["50", "2.0"],
    ["8837", "2.999"],
  ])("%s", (hex, dotted) => {
    expect(readOid(element(TAG.OID, hex))).toBe(dotted);
  });

  test.each([
    ["", /without octets/],
    ["2a80", /cut short/],
    ["2a8001", /shortest/],
    ["8001", /shortest/],
    ["2a".repeat(65), /65 octets/],
  ])("refused: %s", (hex, message) => {
    expect(() => readOid(element(TAG.OID, hex))).toThrowError(message);
  });

  test("what is written is read, also arcs of 128 bits", () => {
    const arcs = fc.array(fc.bigInt({ min: 0n, max: (1n << 120n) - 1n }), { maxLength: 2 });
    const first = fc.oneof(
      fc.tuple(fc.constantFrom("0", "1"), fc.bigInt({ min: 0n, max: 39n })),
      fc.tuple(fc.constant("2"), fc.bigInt({ min: 0n, max: (1n << 120n) - 1n })),
    );
    fc.assert(
      fc.property(first, arcs, ([root, second], rest) => {
        const dotted = [root, second, ...rest].join(".");
        expect(readOid(read(oid(dotted)))).toBe(dotted);
      }),
    );
    expect(readOid(read(oid("2.25.329800735698586629295641978511506172918")))).toBe(
      "2.25.329800735698586629295641978511506172918",
    );
  });

  test.each(["", "1", "3.1", "1.40", "1.2.", "1..2", "1.02", "a.b", "1.2.-3"])(
    "not written: %s",
    (dotted) => {
      expect(() => oid(dotted)).toThrowError(expect.objectContaining({ code: "ERR_X509_ISSUE" }));
    },
  );
});

describe("bit strings", () => {
  test("octets and padding", () => {
    expect(readBitString(element(TAG.BIT_STRING, "05 a0")).unusedBits).toBe(5);
    expect([...readBitStringOctets(read(bitString(Uint8Array.of(1, 2))))]).toEqual([1, 2]);
    for (const bad of ["", "08 00", "01", "01 01", "ff 00"]) {
      expect(() => readBitString(element(TAG.BIT_STRING, bad))).toThrowError(/bit string/);
    }
    expect(() => readBitStringOctets(element(TAG.BIT_STRING, "01 02"))).toThrowError(/whole octets/);
  });

  test("named bits drop trailing zeros", () => {
    expect(Buffer.from(namedBits([5, 6])).toString("hex")).toBe("03020106");
    expect(Buffer.from(namedBits([0])).toString("hex")).toBe("03020780");
    expect(Buffer.from(namedBits([8])).toString("hex")).toBe("0303070080");
    expect(Buffer.from(namedBits([])).toString("hex")).toBe("030100");
  });
});
