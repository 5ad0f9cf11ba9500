import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonMemberSource } from "./json-member-source.ts";

test("the digits of a number are read as they stand", () => {
  expect(jsonMemberSource('{"n":18446744073709551615}', "n")).toBe("18446744073709551615");
  expect(jsonMemberSource('{ "a" : {"n":1}, "n" : 2 , "b":[{"n":3}] }', "n")).toBe("2");
  expect(jsonMemberSource('{"\\u006e":7}', "n")).toBe("7");
  expect(jsonMemberSource('{"n":1,"n":2}', "n")).toBe("2");
  expect(jsonMemberSource('{"n":1,"n":[2]}', "n")).toBeUndefined();
  expect(jsonMemberSource('{"x":"\\"n\\":5,","y":"n"}', "n")).toBeUndefined();
  expect(jsonMemberSource('{"x":"n","y":5}', "n")).toBeUndefined();
  expect(jsonMemberSource("{}", "n")).toBeUndefined();
});

test("it agrees with JSON.parse about every member that is no object or list", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue(), { noNullPrototype: true }),
      fc.nat(4),
      (object, indent) => {
        const json = JSON.stringify(object, undefined, indent);
        for (const [name, value] of Object.entries(JSON.parse(json) as object)) {
          const source = jsonMemberSource(json, name);
          if (typeof value === "object" && value !== null) expect(source).toBeUndefined();
          else expect(JSON.parse(source ?? "")).toEqual(value);
        }
      },
    ),
  );
});

test("long texts take it neither long nor deep", () => {
  const long = `${"\\".repeat(500_000)}"[{`;
  const json = JSON.stringify({ a: long, b: Array(200_000).fill([]), n: 7 });
  expect(jsonMemberSource(json, "n")).toBe("7");
});
