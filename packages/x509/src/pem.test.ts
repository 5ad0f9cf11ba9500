import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { X509Error } from "./error.ts";
import { encodePem, isDer, parsePem } from "./pem.ts";

const block = encodePem("CERTIFICATE", new Uint8Array(100).fill(7));
const begin = "-----BEGIN CERTIFICATE-----";
const end = "-----END CERTIFICATE-----";

describe("blocks", () => {
  test("text around and between is passed over", () => {
    const text = `subject=CN=x\n${block}\n# comment\n${encodePem("X509 CRL", new Uint8Array(3))}bye`;
    expect(parsePem(text).map(({ label, der, offset }) => [label, der.length, offset])).toEqual([
      ["CERTIFICATE", 100, 13],
      ["X509 CRL", 3, text.indexOf("-----BEGIN X509")],
    ]);
    expect(parsePem("no blocks here")).toEqual([]);
    expect(parsePem("")).toEqual([]);
  });

  test("line ends, indented body, byte order mark, octets", () => {
    for (const text of [
      block.replaceAll("\n", "\r\n"),
      block.replaceAll("\n", "\r"),
      block.replaceAll("-----\n", "-----  \t\n"),
      block.replace(/\n(?=[^-])/g, "\n    "),
      block.replaceAll(/=*\n(?=[^-])/g, "\n").trimEnd(),
      `\ufeff${block}`,
      Buffer.from(`\ufeff${block}`, "utf8"),
      Buffer.from(block),
      `${begin}${"\n"}${Buffer.alloc(100, 7).toString("base64")}\n${end}`,
    ]) {
      expect(parsePem(text).map(({ der }) => Buffer.from(der).equals(Buffer.alloc(100, 7)))).toEqual([true]);
    }
  });

  test.each([
    ["BEGIN without END", `${begin}\nAAAA\n`],
    ["half of the last line", block.slice(0, -10)],
    ["BEGIN inside of a block", `${begin}\nAAAA\n${block}`],
    ["END without BEGIN", `AAAA\n${end}\n`],
    ["END before the next BEGIN", `${block}${end}\n${block}`],
    ["labels differ", `${begin}\nAAAA\n-----END X509 CRL-----\n`],
    ["not base64", `${begin}\nAA!A\n${end}\n`],
    ["base64 cut short", `${begin}\nAAA\n${end}\n`],
    ["padding in the middle", `${begin}\nAA==AAAA\n${end}\n`],
    ["too much padding", `${begin}\nA===\n${end}\n`],
    ["bits behind the last octet", `${begin}\nAB==\n${end}\n`],
    ["url-safe base64", `${begin}\nAA-_\n${end}\n`],
    ["empty block", `${begin}\n${end}\n`],
    ["two files joined without a line end", `${block.trimEnd()}${block}`],
    ["BEGIN not at the start of its line", `x${block}`],
    ["indented BEGIN", `  ${block}`],
    ["END not at the start of its line", `${begin}\nAAAA${end}\n`],
    ["text after the boundary", `${begin} x\nAAAA\n${end}\n`],
    ["body on the BEGIN line", `${begin}AAAA\n${end}\n`],
    ["no label", "-----BEGIN -----\nAAAA\n-----END -----\n"],
    ["lower-case label", "-----BEGIN certificate-----\nAAAA\n-----END certificate-----\n"],
    ["BEGIN alone", "-----BEGIN"],
    ["headers", `${begin}\nProc-Type: 4,ENCRYPTED\n\nAAAA\n${end}\n`],
    ["NUL octet in the body", `${begin}\nAA\0A\n${end}\n`],
  ])("damaged: %s", (_, text) => {
    expect(() => parsePem(text)).toThrowError(expect.objectContaining({ code: "ERR_X509_PEM" }));
    expect(() => parsePem(Buffer.from(text))).toThrowError(expect.objectContaining({ code: "ERR_X509_PEM" }));
  });

  test("errors never quote the body", () => {
    try {
      parsePem("-----BEGIN PRIVATE KEY-----\nc2VjcmV0!\n-----END PRIVATE KEY-----\n");
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain("c2Vj");
    }
  });
});

test("lines of 64 characters, newline at the end", () => {
  expect(encodePem("X", new Uint8Array(50))).toBe(
    `-----BEGIN X-----\n${"A".repeat(64)}\n${"AAA=".padStart(4, "A")}\n-----END X-----\n`,
  );
});

test("octets of DER are told from text", () => {
  expect(isDer(Uint8Array.of(0x30, 0x82, 1, 0))).toBe(true);
  expect(isDer(Buffer.from("0 s:CN = x\n"))).toBe(false);
  expect(isDer(block)).toBe(false);
  expect(isDer(new Uint8Array())).toBe(false);
});

describe("properties", () => {
  test("what is written is read", () => {
    const label = fc.constantFrom("CERTIFICATE", "X509 CRL", "EC PRIVATE KEY");
    fc.assert(
      fc.property(fc.array(fc.tuple(label, fc.uint8Array({ minLength: 1, maxLength: 200 }))), (blocks) => {
        const text = blocks.map(([name, der]) => encodePem(name, der)).join("text\n");
        expect(parsePem(text).map(({ label: name, der }) => [name, der])).toEqual(blocks);
      }),
    );
  });

  test("a damaged text raises X509Error, or has as many blocks as BEGIN lines", () => {
    const text = `leaf\n${block}ca\n${block}`;
    const edit = fc.tuple(fc.nat(text.length), fc.nat(40), fc.string({ maxLength: 5, unit: "binary-ascii" }));
    fc.assert(
      fc.property(edit, ([at, remove, insert]) => {
        const edited = text.slice(0, at) + insert + text.slice(at + remove);
        try {
          expect(parsePem(edited)).toHaveLength(edited.match(/-----BEGIN/g)?.length ?? 0);
        } catch (error) {
          if (!(error instanceof X509Error)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

test("a text of a million dashes or of half a block takes no time", () => {
  const started = performance.now();
  expect(parsePem("-".repeat(1_000_000))).toEqual([]);
  expect(() => parsePem(`${begin}\n${"A".repeat(4_000_000)}`)).toThrow(X509Error);
  expect(() => parsePem("-----BEGIN ".repeat(100_000))).toThrow(X509Error);
  expect(parsePem(`${begin}\n${"A".repeat(40_000_000)}\n${end}\n`)[0]?.der).toHaveLength(30_000_000);
  expect(performance.now() - started).toBeLessThan(5000);
});

test("bounds on a text and on its blocks", () => {
  const refusal = expect.objectContaining({ code: "ERR_X509_LIMIT" });
  expect(() => parsePem(new Uint8Array(96 * 1024 * 1024 + 1))).toThrowError(refusal);
  expect(() => parsePem(`${encodePem("X509 CRL", new Uint8Array(1))}`.repeat(100_001))).toThrowError(refusal);
});
