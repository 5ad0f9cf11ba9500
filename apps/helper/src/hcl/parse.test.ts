import fc from "fast-check";
import { expect, test } from "vitest";
import { HelperError } from "../error.ts";
import { parseHcl } from "./parse.ts";
import type { HclObject, HclValue } from "./value.ts";

/** A value as plain data: objects as lists of [key, ...labels, value], since duplicates are kept. */
function plain(value: HclValue): unknown {
  if (value.kind === "list") return value.items.map(plain);
  if (value.kind === "object")
    return value.items.map((item) => [item.key, ...item.labels, plain(item.value)]);
  return value.kind === "string" ? value.text : `${value.kind}:${value.text}`;
}

const read = (text: string): unknown => plain(parseHcl(text, "helper.conf"));

function failure(text: string): HelperError {
  try {
    parseHcl(text, "helper.conf");
  } catch (error) {
    if (error instanceof HelperError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

test("attributes: strings, numbers as written, booleans", () => {
  expect(read('a = "x"\nb = 0644 c=644\n d = true\ne = -1')).toEqual([
    ["a", "x"],
    ["b", "number:0644"],
    ["c", "number:644"],
    ["d", "boolean:true"],
    ["e", "number:-1"],
  ]);
});

test("comments of all three kinds", () => {
  expect(read('# one\na = 1 // two\n/* three\n = */ b = "#no // comment /* here */"')).toEqual([
    ["a", "number:1"],
    ["b", "#no // comment /* here */"],
  ]);
});

test("escapes of strings", () => {
  expect(read(String.raw`a = "q\" b\\ n\n t\t \101 \x41 \u00e9 \U0001F600"`)).toEqual([
    ["a", 'q" b\\ n\n t\t A A é 😀'],
  ]);
  expect(failure(String.raw`a = "\q"`).message).toBe(
    "helper.conf:1:5: this string has an escape that is not known",
  );
});

test("interpolations are kept as they are, quotes in them included", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: these are HCL's
  expect(read('a = "x ${b("c")} y"')).toEqual([["a", 'x ${b("c")} y']]);
});

test("heredocs, plain and with their indent taken away", () => {
  expect(read("a = <<EOF\n one\n  two\nEOF\nb = 1")).toEqual([
    ["a", " one\n  two\n"],
    ["b", "number:1"],
  ]);
  expect(read("a = <<-EOF\n    one\n      two\n  EOF\n")).toEqual([["a", "one\n  two\n"]]);
  expect(failure("a = <<EOF\nno end").message).toMatch(/^helper.conf:1:5: this heredoc does not end/);
});

test("lists of objects, with and without trailing comma, blocks, labelled blocks, repeated blocks", () => {
  const objects = `jwt_svids = [ { jwt_audience = "a", jwt_svid_file_name = "f" }, { jwt_audience="b"
    jwt_extra_audiences = ["c", "d",] }, ]`;
  expect(read(objects)).toEqual([
    [
      "jwt_svids",
      [
        [
          ["jwt_audience", "a"],
          ["jwt_svid_file_name", "f"],
        ],
        [
          ["jwt_audience", "b"],
          ["jwt_extra_audiences", ["c", "d"]],
        ],
      ],
    ],
  ]);
  expect(
    read('health_checks { bind_port = 8081 }\nreload "nginx" { kind = "nginx" }\nreload "db" {}'),
  ).toEqual([
    ["health_checks", [["bind_port", "number:8081"]]],
    ["reload", "nginx", [["kind", "nginx"]]],
    ["reload", "db", []],
  ]);
});

test("duplicate keys are kept in order, keys keep their case", () => {
  expect(read("A = 1\na = 2")).toEqual([
    ["A", "number:1"],
    ["a", "number:2"],
  ]);
});

test("JSON when the first character that is no space is a brace", () => {
  const json =
    ' \n{"cert_file_mode": 420, "daemon_mode": false, "jwt_svids": [{"jwt_audience": "\\u00e9\\/"}], "x": {}}';
  expect(read(json)).toEqual([
    ["cert_file_mode", "number:420"],
    ["daemon_mode", "boolean:false"],
    ["jwt_svids", [[["jwt_audience", "é/"]]]],
    ["x", []],
  ]);
  expect(failure('{"a": 1} b').message).toMatch(/^helper.conf:1:10: expected nothing after/);
  expect(failure('{"a": 1 "b": 2}').message).toMatch(/^helper.conf:1:9: expected ","/);
});

test.each([
  ["a = ", "1:5", "expected a value"],
  ["\n  a 1", "2:5", 'expected "=" or "{" after a'],
  ['a = "x', "1:5", "does not end on its line"],
  ["a = [1 2]", "1:8", 'expected ","'],
  ["a {", "1:4", 'expected "}"'],
  ["a = 0189", "1:5", "no octal number"],
  ["é = 1\nb = ?", "2:5", 'unexpected "?"'],
  ["/* x", "1:1", "does not end"],
  ['a "b" = {}', "1:7", 'expected "{" after the label'],
  ["}", "1:1", "expected a key"],
])("%j is refused with its place", (text, place, message) => {
  const error = failure(text);
  expect(error.code).toBe("ERR_HELPER_CONFIG");
  expect(error.message).toContain(`helper.conf:${place}: `);
  expect(error.message).toContain(message);
});

test("an unquoted word gets the advice to quote it", () => {
  expect(failure("daemon_mode = yes").hint).toBe('put quotes around it: "yes"');
});

test("size and depth are limited", () => {
  expect(failure(`a = "${"x".repeat(1_048_576)}"`).message).toMatch(/larger than/);
  expect(failure(`a = ${"[".repeat(5_000)}`).message).toMatch(/nested more than 32/);
  expect(failure(`${'{"a":'.repeat(5_000)}`).message).toMatch(/nested more than 32/);
});

test("whatever the text, the parser returns an object or throws its own error", () => {
  const fragment = fc.constantFrom(
    ...'{}[]=,:"#/*\n \\$<-.0129eExX_aé😀\u0000\uFEFF'.split(""),
    "${",
    "<<EOF\n",
    "\nEOF\n",
    '"\\u12',
    "true",
    'a = "b"\n',
    '{"a": ',
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fragment).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        const { kind }: HclObject = parseHcl(input, "f");
        return kind === "object";
      } catch (error) {
        return error instanceof HelperError && error.code === "ERR_HELPER_CONFIG";
      }
    }),
    { numRuns: 2_000 },
  );
});

test("what JSON.parse accepts as an object is accepted, with the same keys", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.boolean(), fc.integer())), (object) => {
      const items = parseHcl(JSON.stringify(object), "f").items;
      expect(items.map((item) => item.key)).toEqual(Object.keys(object));
      for (const { key, value } of items) {
        expect(value.kind !== "list" && value.kind !== "object" && value.text).toBe(String(object[key]));
      }
    }),
  );
});
