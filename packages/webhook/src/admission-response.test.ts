import fc from "fast-check";
import { applyPatch } from "rfc6902";
import { expect, test } from "vitest";
import { admissionResponse, trimWarnings } from "./admission-response.ts";
import { verdict } from "./admission-verdict.ts";

interface Response {
  readonly response: {
    readonly patch?: string;
    readonly auditAnnotations?: Record<string, string>;
  };
}

function patchBetween(before: object, after: object): { op: string; path: string }[] {
  const { body } = admissionResponse("1", verdict.mutate({ before, after }));
  const { patch } = (body as Response).response;
  return patch === undefined ? [] : JSON.parse(String(Buffer.from(patch, "base64")));
}

test("a computed patch turns the one object into the other", () => {
  const object = fc.dictionary(
    fc.string().filter((key) => key !== "__proto__"),
    fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes("__proto__")),
  );
  fc.assert(
    fc.property(object, object, (one, other) => {
      const [before, after] = JSON.parse(JSON.stringify([one, other]));
      const patch = patchBetween(before, after);
      expect(applyPatch(before, patch as never).every((failure) => failure === null)).toBe(true);
      expect(before).toEqual(after);
    }),
  );
});

test("arrays too long to be compared in time are replaced, if they differ at all", () => {
  const long = Array.from({ length: 20_000 }, (_, index) => index);
  expect(patchBetween({ long, other: 1 }, { long: [...long], other: 2 })).toEqual([
    { op: "replace", path: "/other", value: 2 },
  ]);
  expect(patchBetween({ "a/b": long }, { "a/b": [...long, 1] })).toMatchObject([
    { op: "replace", path: "/a~1b" },
  ]);
});

test("warnings are trimmed to what the API server takes", () => {
  expect(trimWarnings(["é".repeat(300)])).toEqual(["é".repeat(256)]);
  expect(trimWarnings(["two\r\nlines", ""])).toEqual(["two lines"]);
  expect(trimWarnings(["🍃".repeat(257)])).toEqual(["🍃".repeat(256)]);
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 600, unit: "grapheme" }), { maxLength: 40 }), (warnings) => {
      const trimmed = trimWarnings(warnings);
      const lengths = trimmed.map((warning) => [...warning].length);
      expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(256);
      expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(4_096);
    }),
  );
});

test("audit annotations that are no names are left out", () => {
  const auditAnnotations = {
    ok: "1",
    "a.b_c-D9": "2",
    "": "3",
    "-a": "4",
    "a/b": "5",
    [`a${"b".repeat(63)}`]: "6",
  };
  const { body, dropped } = admissionResponse("1", verdict.allow({ auditAnnotations }));
  expect((body as Response).response.auditAnnotations).toEqual({ ok: "1", "a.b_c-D9": "2" });
  expect(dropped).toEqual(["", "-a", "a/b", `a${"b".repeat(63)}`]);
});
