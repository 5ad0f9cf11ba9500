import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createListItemSplitter } from "./split-list-items.ts";

/** Items and the rest, with the text cut at the given places. */
function split(text: string, cuts: readonly number[] = [], limit = 1e6): { items: unknown[]; rest: unknown } {
  const splitter = createListItemSplitter(limit);
  const octets = Buffer.from(text);
  const items: unknown[] = [];
  const places = [...new Set(cuts.map((cut) => cut % (octets.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, octets.length]) {
    // A copy that is overwritten afterwards, as a pooled buffer is.
    const chunk = Buffer.from(octets.subarray(from, to));
    splitter.push(chunk, (json) => void items.push(JSON.parse(json.toString())));
    chunk.fill(0);
    from = to;
  }
  return { items, rest: JSON.parse(splitter.end().toString()) };
}

const nasty = fc.oneof(
  fc.constantFrom('"items":[{', "}],", '\\"', "\\", '"', "{[", "]}", "é", "\u{1f600}", "\u2028", "items"),
  fc.string({ unit: "binary" }),
);
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    nasty,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(nasty, tie("value"), { maxKeys: 4 }),
  ),
})).value;
const object = fc.dictionary(nasty, json, { maxKeys: 5 });
const envelope = fc.record({ before: object, after: object, items: fc.array(object, { maxLength: 6 }) });
const space = fc.constantFrom(undefined, 1, "\t", "\r\n ");

describe("the items of a list", () => {
  test("are those that a parser finds, wherever the text is cut and however it is spaced", () => {
    fc.assert(
      fc.property(
        envelope,
        space,
        fc.array(fc.nat(), { maxLength: 30 }),
        ({ before, after, items }, by, cuts) => {
          const { items: _, ...first } = before as { items?: unknown };
          const { items: __, ...last } = after as { items?: unknown };
          const value = { first, ...first, items, ...last };
          const list = { ...value, items };
          const found = split(JSON.stringify(list, undefined, by), cuts);
          const expected = JSON.parse(JSON.stringify(list)) as { items: unknown[] };
          expect(found.items).toEqual(expected.items);
          expect(found.rest).toEqual({ ...expected, items: [] });
        },
      ),
      { numRuns: 500 },
    );
  });

  test("are found with every single cut, and octet by octet", () => {
    const text =
      '{"kind":"PodList","metadata":{"items":[1],"a\\"items":[{}]},"items" : [ {"a":"}\\\\"} , {"é":[{"items":[{}]}]} ],"z":[]}\n';
    const { items } = JSON.parse(text) as { items: unknown[] };
    const octets = Buffer.byteLength(text);
    for (let cut = 0; cut <= octets; cut += 1) expect(split(text, [cut]).items).toEqual(items);
    const every = Array.from({ length: octets }, (_, i) => i);
    expect(split(text, every)).toEqual({ items, rest: { ...JSON.parse(text), items: [] } });
  });

  test("may be none, or null", () => {
    expect(split('{"items":[]}')).toEqual({ items: [], rest: { items: [] } });
    expect(split('{"items":null}')).toEqual({ items: [], rest: { items: null } });
    expect(split('{"metadata":{}}')).toEqual({ items: [], rest: { metadata: {} } });
  });
});

describe("refused with ERR_KUBE_PROTOCOL", () => {
  const refused = expect.objectContaining({ code: "ERR_KUBE_PROTOCOL" });

  test.each(["[1]", "1,2", '"text"', "[[]]", "[{},null]"])("items that are no objects: %s", (items) => {
    expect(() => split(`{"items":${items.startsWith("[") ? items : `[${items}]`}}`)).toThrowError(refused);
  });

  test("a list that breaks off anywhere", () => {
    const text = '{"kind":"PodList","items":[{"a":"b"},{"c":["d"]}],"z":{}}';
    for (let end = 1; end < text.length; end += 1) {
      const splitter = createListItemSplitter(1e6);
      splitter.push(Buffer.from(text.slice(0, end)), () => {});
      expect(() => splitter.end()).toThrowError(refused);
    }
  });

  test("an item, or all that is none, beyond the limit", () => {
    const long = "x".repeat(100);
    expect(() => split(`{"items":[{"a":"${long}"}]}`, [], 100)).toThrowError(refused);
    expect(() => split(`{"items":[{"a":"${long}"}]}`, [30, 60, 90], 100)).toThrowError(refused);
    expect(() => split(`{"a":"${long}","items":[]}`, [30, 60], 100)).toThrowError(refused);
    expect(split(`{"items":[${Array(50).fill('{"a":"b"}').join(",")}]}`, [], 100).items).toHaveLength(50);
  });
});
