import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SpiffeError } from "./error.ts";
import { parseSpiffeId, parseTrustDomain } from "./spiffe-id.ts";

const chars = (alphabet: string, maxLength: number) =>
  fc
    .array(fc.constantFrom(...alphabet), { minLength: 1, maxLength })
    .map((characters) => characters.join(""));
const lower = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
const name = chars(lower, 255);
const segment = chars(`${lower}ABCDEFGHIJKLMNOPQRSTUVWXYZ`, 40).filter((text) => !/^\.{1,2}$/.test(text));
const id = fc
  .tuple(name, fc.array(segment, { maxLength: 8 }))
  .map(([domain, segments]) => ["spiffe:/", domain, ...segments].join("/"));

function refused(parse: (text: string) => unknown, text: string): void {
  let error: unknown;
  try {
    parse(text);
  } catch (thrown) {
    error = thrown;
  }
  expect(error, text).toBeInstanceOf(SpiffeError);
  expect(error).toMatchObject({ code: "ERR_SPIFFE_ID" });
}

test("an ID has a trust domain and a path", () => {
  const backend = parseSpiffeId("spiffe://example.org/shop/backend");
  expect(backend.trustDomain).toEqual(parseTrustDomain("example.org"));
  expect(backend.path).toBe("/shop/backend");
  expect(`${backend}`).toBe("spiffe://example.org/shop/backend");
  expect(JSON.stringify({ backend })).toBe('{"backend":"spiffe://example.org/shop/backend"}');
  expect(parseSpiffeId("spiffe://example.org")).toMatchObject({ path: "" });
  expect(Object.isFrozen(backend)).toBe(true);
});

test("a trust domain is given by its name or its ID", () => {
  const domain = parseTrustDomain("spiffe://example.org");
  expect(domain).toEqual(parseTrustDomain("example.org"));
  expect(domain).toMatchObject({ name: "example.org", id: "spiffe://example.org" });
  expect(`${domain}`).toBe("example.org");
});

describe("SPIFFE-ID 2: the scheme is spiffe, the trust domain is not empty, no query and no fragment", () => {
  test.each([
    "",
    "spiffe",
    "spiffe:",
    "spiffe:/",
    "spiffe://",
    "spiffe:///path",
    "SPIFFE://example.org/a",
    "https://example.org/a",
    "example.org/a",
    " spiffe://example.org/a",
    "spiffe://example.org/a?b",
    "spiffe://example.org?b",
    "spiffe://example.org/a#b",
    "spiffe://example.org#b",
  ])("%j", (text) => refused(parseSpiffeId, text));
});

describe("SPIFFE-ID 2.1: a trust domain has no port, no userinfo, no upper case, nothing encoded", () => {
  const names = [
    "example.org:443",
    "user@example.org",
    "Example.org",
    "ex%61mple.org",
    "exämple.org",
    "a b",
    "[::1]",
  ];
  test.each([...names, "example.org:", "a/b", "a\n", "a\0"])("%j", (text) => {
    refused(parseTrustDomain, text);
    refused(parseTrustDomain, `spiffe://${text}`);
  });
  test.each(names)("%j in an ID", (text) => refused(parseSpiffeId, `spiffe://${text}/a`));
});

test("SPIFFE-ID 2.1: a trust domain's name has 1 to 255 octets", () => {
  expect(parseTrustDomain("a".repeat(255)).name).toHaveLength(255);
  refused(parseTrustDomain, "a".repeat(256));
  refused(parseTrustDomain, "");
  refused(parseTrustDomain, "spiffe://");
});

describe("SPIFFE-ID 2.2: segments are not empty, not dots, not encoded, and no slash stands at the end", () => {
  test.each(["/", "//", "/a/", "//a", "/a//b", "/.", "/..", "/a/./b", "/a/../b", "/a/..", "/%61", "/a%2fb"])(
    "%j",
    (path) => refused(parseSpiffeId, `spiffe://example.org${path}`),
  );
  test.each(["/a b", "/ä", "/a~b", "/a:b", "/a@b", "/a+b", "/a\\b", "/a\n", "/a\0"])("%j", (path) =>
    refused(parseSpiffeId, `spiffe://example.org${path}`),
  );
  test.each(["/a", "/A/b", "/...", "/.a", "/a.", "/-", "/_", "/9"])("but %j is a path", (path) =>
    expect(parseSpiffeId(`spiffe://example.org${path}`).path).toBe(path),
  );
});

test("SPIFFE-ID 2.3: 2048 octets are supported, and not one more", () => {
  const longest = `spiffe://example.org/${"a".repeat(2048 - "spiffe://example.org/".length)}`;
  expect(`${parseSpiffeId(longest)}`).toBe(longest);
  refused(parseSpiffeId, `${longest}a`);
});

test("what the grammar allows is parsed and written back as it was", () => {
  fc.assert(fc.property(id, (text) => parseSpiffeId(text).toString() === text));
  fc.assert(fc.property(name, (text) => parseTrustDomain(text).name === text));
});

test("whatever is accepted fits the grammar, and whatever is not throws this package's error", () => {
  const grammar = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/;
  const spoiled = fc
    .tuple(
      id,
      fc.nat(),
      fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom("/", "//", "..", "%", "A", ":", "@", "\n")),
    )
    .map(
      ([text, at, insert]) =>
        text.slice(0, at % (text.length + 1)) + insert + text.slice(at % (text.length + 1)),
    );
  fc.assert(
    fc.property(fc.oneof(spoiled, fc.string(), fc.webUrl()), (text) => {
      const fits = text.length <= 2048 && grammar.test(text) && !text.endsWith("\n");
      if (fits) expect(`${parseSpiffeId(text)}`).toBe(text);
      else refused(parseSpiffeId, text);
    }),
  );
});

test("a message shows only the beginning of what was no ID", () => {
  expect(() => parseSpiffeId("x".repeat(100_000))).toThrow(/^.{0,250}$/);
});
