import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contextTag, DerCursor, type DerElement, TAG } from "./der.ts";
import { timeOf } from "./der-time.ts";
import {
  readBitString,
  readBitStringOctets,
  readBoolean,
  readIa5,
  readIntegerHex,
  readOid,
  readSmallInteger,
  readString,
} from "./der-values.ts";
import {
  bitString,
  encode,
  generalizedTime,
  integer,
  namedBits,
  oid,
  time,
  utf8String,
} from "./der-writer.ts";

const element = (tag: number, hex: string) => read(encode(tag, [Buffer.from(hex.replace(/ /g, ""), "hex")]));
const read = (der: Uint8Array): DerElement => new DerCursor(der).read();
const text = (tag: number, content: string) => read(encode(tag, [Buffer.from(content, "latin1")]));

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

describe("strings", () => {
  test("every type", () => {
    expect(readString(read(utf8String("Grüße €")))).toBe("Grüße €");
    expect(readString(text(TAG.PRINTABLE_STRING, "abc"))).toBe("abc");
    expect(readString(text(TAG.TELETEX_STRING, "Gr\xfc\xdfe"))).toBe("Grüße");
    expect(readString(element(TAG.BMP_STRING, "0041 20ac"))).toBe("A€");
    expect(readString(element(TAG.UNIVERSAL_STRING, "00000041 0001f600"))).toBe("A😀");
    expect(readString(text(TAG.NUMERIC_STRING, "12 3"))).toBe("12 3");
    expect(readString(text(TAG.VISIBLE_STRING, "v"))).toBe("v");
  });

  test("damage", () => {
    expect(() => readString(element(TAG.UTF8_STRING, "c3 28"))).toThrowError(/UTF-8/);
    expect(() => readString(element(TAG.UTF8_STRING, "ed a0 80"))).toThrowError(/UTF-8/);
    expect(readString(element(TAG.UTF8_STRING, "ef bf bd"))).toBe("\ufffd");
    expect(() => readString(element(TAG.BMP_STRING, "00"))).toThrowError(/odd length/);
    expect(() => readString(element(TAG.UNIVERSAL_STRING, "0000"))).toThrowError(/multiple of four/);
    expect(() => readString(element(TAG.UNIVERSAL_STRING, "00110000"))).toThrowError(/no character/);
    expect(() => readString(element(TAG.INTEGER, "00"))).toThrowError(/not a string/);
  });

  test("IA5 is printable ASCII", () => {
    const implicit = contextTag(2, "primitive");
    expect(readIa5(text(implicit, "a.b~"), "DNS name")).toBe("a.b~");
    for (const bad of ["a\0b", "a\nb", "ä", "\x7f"]) {
      expect(() => readIa5(text(implicit, bad), "DNS name")).toThrowError(/DNS name has characters/);
    }
  });
});

describe("times", () => {
  const utc = (content: string) => timeOf(text(TAG.UTC_TIME, content)).toISOString();
  const general = (content: string) => timeOf(text(TAG.GENERALIZED_TIME, content)).toISOString();

  test("the two forms", () => {
    expect(utc("491231235959Z")).toBe("2049-12-31T23:59:59.000Z");
    expect(utc("500101000000Z")).toBe("1950-01-01T00:00:00.000Z");
    expect(general("99991231235959Z")).toBe("9999-12-31T23:59:59.000Z");
    expect(general("00500101000000Z")).toBe("0050-01-01T00:00:00.000Z");
    expect(utc("240229000000Z")).toBe("2024-02-29T00:00:00.000Z");
    expect(general("20000229000000Z")).toBe("2000-02-29T00:00:00.000Z");
  });

  test.each([
    "2301010000Z",
    "230101000000",
    "230101000000+0100",
    "230101000000z",
    "231301000000Z",
    "230001000000Z",
    "230100000000Z",
    "230229000000Z",
    "230431000000Z",
    "230101240000Z",
    "230101006000Z",
    "230101000060Z",
    "23010100000 Z",
    "-30101000000Z",
    "230101000000.5Z",
    "",
  ])("not a UTCTime: %s", (content) => {
    expect(() => utc(content)).toThrowError(expect.objectContaining({ code: "ERR_X509_DER" }));
  });

  test.each(["20230101000000.0Z", "202301010000Z", "19000229000000Z", "2023010100000Z", "21000229000000Z"])(
    "not a GeneralizedTime: %s",
    (content) => {
      expect(() => general(content)).toThrowError(/time is not of the form/);
    },
  );

  test("what is written is read, to the second", () => {
    const range = {
      min: new Date("0000-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59Z"),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        expect(timeOf(read(time(date))).getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000);
        expect(timeOf(read(generalizedTime(date))).getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000);
      }),
    );
    expect(read(time(new Date("2049-12-31T23:59:59.999Z"))).tag).toBe(TAG.UTC_TIME);
    expect(read(time(new Date("2050-01-01T00:00:00Z"))).tag).toBe(TAG.GENERALIZED_TIME);
    expect(read(time(new Date("1949-12-31T00:00:00Z"))).tag).toBe(TAG.GENERALIZED_TIME);
    expect(() => time(new Date(Number.NaN))).toThrowError(
      expect.objectContaining({ code: "ERR_X509_ISSUE" }),
    );
  });
});
