import fc from "fast-check";
import { expect, test } from "vitest";
import { equalJson, isJsonObject, type Json, type JsonObject } from "./json.ts";
import type { MergeSchema } from "./merge-schema.ts";
import { jsonPatch, mergePatch } from "./patch.ts";
import { StatusError } from "./status-error.ts";
import { strategicMerge } from "./strategic-merge.ts";

const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as Json);
const schema: MergeSchema = {
  fields: {
    containers: { keys: ["name"], items: { fields: { env: { keys: ["name"] } } } },
    finalizers: { set: true },
  },
};

/** The merge patch that makes one of the other; RFC 7396 has none where the target holds null. */
function diff(from: Json, to: Json): Json {
  if (!isJsonObject(from) || !isJsonObject(to)) return to;
  const patch: JsonObject = {};
  for (const field of Object.keys(from)) if (!(field in to)) patch[field] = null;
  for (const [field, value] of Object.entries(to)) {
    if (!equalJson(from[field], value)) patch[field] = diff(from[field] ?? null, value as Json);
  }
  return patch;
}

const hasNull = (value: Json | undefined): boolean =>
  value === null || (typeof value === "object" && Object.values(value).some((item) => hasNull(item as Json)));

test("a merge patch makes any document of any other, and changes neither", () => {
  fc.assert(
    fc.property(json, json, (from, to) => {
      fc.pre(!hasNull(to));
      const before = JSON.stringify(from);
      expect(mergePatch(from, diff(from, to))).toEqual(to);
      expect(JSON.stringify(from)).toBe(before);
    }),
  );
});

test("a merge patch applied twice is as applied once", () => {
  fc.assert(
    fc.property(json, json, (target, patch) => {
      const once = mergePatch(target, patch);
      expect(mergePatch(once, patch)).toEqual(once);
    }),
  );
});

test("a JSON patch applies as a whole or not at all, and throws nothing but a Status", () => {
  fc.assert(
    fc.property(fc.object(), fc.jsonValue(), (target, patch) => {
      const document = JSON.parse(JSON.stringify(target)) as JsonObject;
      const before = JSON.stringify(document);
      try {
        jsonPatch(document, patch as Json);
      } catch (error) {
        expect(error).toBeInstanceOf(StatusError);
      }
      expect(JSON.stringify(document)).toBe(before);
    }),
  );
});

test("strategic merge: new items come before those that were there, as in Kubernetes", () => {
  const target = {
    containers: [
      {
        name: "c",
        env: [
          { name: "A", value: "b" },
          { name: "B", value: "c" },
        ],
      },
    ],
  };
  const patch = {
    containers: [
      {
        name: "c",
        env: [
          { name: "A", $patch: "delete" },
          { name: "C", value: "d" },
        ],
      },
      { name: "new" },
    ],
  };
  expect(strategicMerge(target, patch, schema)).toEqual({
    containers: [
      {
        name: "c",
        env: [
          { name: "C", value: "d" },
          { name: "B", value: "c" },
        ],
      },
      { name: "new" },
    ],
  });
});

test("strategic merge: the directives", () => {
  const target = {
    containers: [{ name: "a" }, { name: "b" }],
    finalizers: ["x", "y"],
    volume: { secret: 1, name: "v" },
  };
  const merge = (patch: JsonObject) => strategicMerge(target, patch, schema);
  expect(merge({ "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] }).containers).toEqual([
    { name: "b" },
    { name: "a" },
  ]);
  expect(merge({ "$deleteFromPrimitiveList/finalizers": ["x"] }).finalizers).toEqual(["y"]);
  expect(merge({ finalizers: ["z"] }).finalizers).toEqual(["z", "x", "y"]);
  expect(merge({ volume: { $retainKeys: ["name"], configMap: 2 } }).volume).toEqual({
    name: "v",
    configMap: 2,
  });
  expect(merge({ containers: [{ $patch: "replace" }, { name: "c" }] }).containers).toEqual([{ name: "c" }]);
  expect(merge({ volume: { $patch: "replace", name: "w" } }).volume).toEqual({ name: "w" });
});
