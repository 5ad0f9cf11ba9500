import fc from "fast-check";
import { expect, test } from "vitest";
import { createIndexer } from "./indexer.ts";
import type { KubeObject } from "./kube-object.ts";

const key = fc.constantFrom("a", "b", "c", "d");
const object = fc
  .record({ version: fc.constantFrom("1", "2", "3"), tags: fc.subarray(["x", "y", "z"]) })
  .map(
    ({ version, tags }): KubeObject => ({ metadata: { resourceVersion: version, finalizers: [...tags] } }),
  );
const step = fc.oneof(
  fc.record({ set: key, object }),
  fc.record({ delete: key }),
  fc.record({ replace: fc.dictionary(key, object) }),
);

test("an index always has what going through all objects would find, and what changed is told once", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const indexer = createIndexer({ tag: ({ metadata }: KubeObject) => metadata?.finalizers ?? [] });
      const model = new Map<string, KubeObject>();
      for (const action of steps) {
        if ("set" in action) {
          indexer.set(action.set, action.object);
          model.set(action.set, action.object);
        } else if ("delete" in action) {
          indexer.delete(action.delete);
          model.delete(action.delete);
        } else {
          const all = new Map(Object.entries(action.replace));
          const told: unknown[] = [];
          indexer.replace(
            all,
            (old, next) => old === next,
            (old, next) => void told.push([old, next]),
          );
          const keys = new Set([...all.keys(), ...model.keys()]);
          const changed = [...keys].filter((name) => model.get(name) !== all.get(name));
          expect(told).toHaveLength(changed.length);
          for (const name of changed) expect(told).toContainEqual([model.get(name), all.get(name)]);
          model.clear();
          for (const [name, value] of all) model.set(name, value);
        }
        expect(new Map(indexer.entries())).toEqual(model);
        for (const tag of ["x", "y", "z"]) {
          const expected = [...model].filter(([, value]) => value.metadata?.finalizers?.includes(tag));
          expect([...indexer.keysByIndex("tag", tag)].sort()).toEqual(expected.map(([name]) => name).sort());
        }
      }
    }),
  );
});
