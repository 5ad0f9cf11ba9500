import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contextTag, readDer, TAG } from "./der.ts";
import { encode, ia5String, integer, oid, printableString, sequence, set, utf8String } from "./der-writer.ts";
import { ATTRIBUTE, decodeName, formatName, nameKey, namesEqual } from "./name.ts";
import { encodeName } from "./name-writer.ts";
import { collectWarnings } from "./warning.ts";

function decode(der: Uint8Array) {
  const { warnings, warn } = collectWarnings();
  return { name: decodeName(readDer(der, TAG.SEQUENCE, "name"), warn), warnings };
}
const parse = (text: string) => decode(encodeName(text)).name;
const attribute = (type: string, value: Uint8Array) => sequence(oid(type), value);
const single = (type: string, value: Uint8Array) => decode(sequence(set(attribute(type, value))));
const latin1 = (tag: number, text: string) => encode(tag, [Buffer.from(text, "latin1")]);

describe("RFC 4514", () => {
  test("most specific part first, as in the text", () => {
    const name = parse("CN=backend,OU=web,O=Shop,C=DE");
    expect(name.attributes.map(({ oid: type, value }) => [type, value])).toEqual([
      [ATTRIBUTE.C, "DE"],
      [ATTRIBUTE.O, "Shop"],
      [ATTRIBUTE.OU, "web"],
      [ATTRIBUTE.CN, "backend"],
    ]);
    expect(name.commonName).toBe("backend");
    expect(formatName(name)).toBe("CN=backend,OU=web,O=Shop,C=DE");
  });

  // The examples of RFC 4514 section 4 and their like.
  test.each([
    ["UID=jsmith,DC=example,DC=net", undefined],
    ["OU=Sales+CN=J.  Smith,DC=example,DC=net", undefined],
    ['CN=James \\"Jim\\" Smith\\, III,DC=example,DC=net', undefined],
    ["CN=Before\\0dAfter,DC=example,DC=net", undefined],
    ["1.3.6.1.4.1.1466.0=#04024869", undefined],
    ["CN=Lu\\c4\\8di\\c4\\87", "CN=Lučić"],
    [" cn = a , o = b ", "CN=a,O=b"],
    ["2.5.4.3=a", "CN=a"],
    ["OID.2.5.4.10=a", "O=a"],
    ["CN=\\ a\\ ", undefined],
    ["CN=\\#a", undefined],
    ["CN=a#b", undefined],
    ["CN=a=b", undefined],
    ["CN=\\\\\\,\\+\\;\\<\\>", undefined],
    ["CN=a;O=b", "CN=a,O=b"],
    ["CN=\u00a0a\u3000", undefined],
    ["emailAddress=a@b.c", undefined],
    ["", undefined],
  ])("%s", (text, formatted) => {
    const name = parse(text);
    expect(formatName(name)).toBe(formatted ?? text);
    expect(Buffer.from(encodeName(formatName(name))).equals(encodeName(text))).toBe(true);
  });

  test.each([
    "CN",
    "=a",
    "CN=",
    "CN=a,",
    ",CN=a",
    "XX=a",
    "CN=#0",
    "CN=#zz",
    "CN=a\\",
    "CN=a\\x",
    "DC=ä",
    "C=ä",
  ])("not a name: %s", (text) => {
    expect(() => encodeName(text)).toThrowError(expect.objectContaining({ code: "ERR_X509_ISSUE" }));
  });

  test("any text survives", () => {
    const value = fc
      .string({ minLength: 1, maxLength: 20, unit: "grapheme" })
      .filter((text) => Buffer.from(text).toString() === text);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("CN", "O", "OU", "title"), value), { minLength: 1 }),
        (parts) => {
          const der = sequence(
            ...parts.map(([type, text]) => set(attribute(ATTRIBUTE[type as "CN"], utf8String(text)))),
          );
          const { name } = decode(der);
          expect(Buffer.from(encodeName(formatName(name))).equals(der)).toBe(true);
          expect(formatName(name)).not.toMatch(/[\n\r\0]/);
        },
      ),
    );
  });
});

describe("comparison", () => {
  test("case, blanks and string type do not count", () => {
    const { name } = single(ATTRIBUTE.O, printableString(" Shop   Ltd "));
    expect(namesEqual(name, parse("O=shop ltd"))).toBe(true);
    expect(nameKey(name)).toBe(nameKey(parse("O=SHOP LTD")));
  });

  test("order of the parts and their grouping count, order within a part does not", () => {
    expect(namesEqual(parse("CN=a,O=b"), parse("O=b,CN=a"))).toBe(false);
    expect(namesEqual(parse("CN=a+O=b"), parse("O=b+CN=a"))).toBe(true);
    expect(namesEqual(parse("CN=a+O=b"), parse("CN=a,O=b"))).toBe(false);
    expect(namesEqual(parse("CN=a"), parse("CN=a,O=b"))).toBe(false);
    expect(namesEqual(parse("CN=a"), parse("OU=a"))).toBe(false);
    expect(namesEqual(parse(""), parse(""))).toBe(true);
    expect(namesEqual(parse(""), parse("CN=a"))).toBe(false);
  });

  test("text is never taken for the hex of a value that is no text", () => {
    const number = single(ATTRIBUTE.CN, integer(5)).name;
    expect(number.attributes[0]).toMatchObject({ form: "der", value: "#020105" });
    const text = single(ATTRIBUTE.CN, utf8String("#020105")).name;
    expect(namesEqual(number, text)).toBe(false);
    expect(formatName(number)).toBe("CN=#020105");
    expect(formatName(text)).toBe("CN=\\#020105");
  });
});

describe("string types", () => {
  test("what they are warned for", () => {
    const codes = (type: string, value: Uint8Array) => single(type, value).warnings.map(({ code }) => code);
    expect(codes(ATTRIBUTE.O, utf8String("ä"))).toEqual([]);
    expect(codes(ATTRIBUTE.O, latin1(TAG.TELETEX_STRING, "ä"))).toEqual(["legacy_string"]);
    expect(codes(ATTRIBUTE.O, encode(TAG.BMP_STRING, [Uint8Array.of(0, 65)]))).toEqual(["legacy_string"]);
    expect(codes(ATTRIBUTE.O, encode(TAG.UNIVERSAL_STRING, [Uint8Array.of(0, 0, 0, 65)]))).toEqual([
      "legacy_string",
    ]);
    expect(codes(ATTRIBUTE.O, latin1(TAG.PRINTABLE_STRING, "a_b"))).toEqual(["printable_string"]);
    expect(codes(ATTRIBUTE.C, printableString("DE"))).toEqual([]);
    expect(codes(ATTRIBUTE.C, printableString("de"))).toEqual(["country_code"]);
    expect(codes(ATTRIBUTE.C, printableString("LTU"))).toEqual(["country_code"]);
    expect(codes(ATTRIBUTE.emailAddress, ia5String("a@b.c"))).toEqual([]);
  });

  test.each([
    ["empty RDN", sequence(set())],
    ["attribute without value", sequence(set(sequence(oid("2.5.4.3"))))],
    ["attribute with two values", sequence(set(sequence(oid("2.5.4.3"), utf8String("a"), utf8String("b"))))],
    ["RDN that is no SET", sequence(sequence())],
    ["type that is no identifier", sequence(set(sequence(utf8String("a"), utf8String("b"))))],
    ["context tag in place of the RDN", sequence(encode(contextTag(0), []))],
  ])("damaged: %s", (_, der) => {
    expect(() => decode(der)).toThrowError(expect.objectContaining({ code: "ERR_X509_DER" }));
  });
});
