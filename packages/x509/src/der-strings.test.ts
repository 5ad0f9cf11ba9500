import { describe, expect, test } from "vitest";
import { contextTag, DerCursor, type DerElement, TAG } from "./der.ts";
import { readIa5, readString } from "./der-strings.ts";
import { encode, utf8String } from "./der-writer.ts";

const read = (der: Uint8Array): DerElement => new DerCursor(der).read();
const text = (tag: number, content: string) => read(encode(tag, [Buffer.from(content, "latin1")]));
const element = (tag: number, hex: string) => read(encode(tag, [Buffer.from(hex.replace(/ /g, ""), "hex")]));

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
