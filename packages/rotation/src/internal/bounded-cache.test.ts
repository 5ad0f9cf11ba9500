import { expect, test } from "vitest";
import { createBoundedCache } from "./bounded-cache.ts";

test("keeps what is used, and never more than twice its size", () => {
  const cache = createBoundedCache<number, number>(10);
  for (let key = 0; key < 1_000; key++) {
    cache.set(key, key);
    expect(cache.get(0)).toBe(0);
    expect([...cache.values()].length).toBeLessThanOrEqual(20);
  }
  expect(cache.get(999)).toBe(999);
  expect(cache.get(991)).toBe(991);
  expect(cache.get(500)).toBeUndefined();
});

test("a newer value hides the older one", () => {
  const cache = createBoundedCache<string, number>(2);
  cache.set("a", 1);
  cache.set("b", 1);
  cache.set("c", 1);
  cache.set("a", 2);
  expect(cache.get("a")).toBe(2);
  expect([...cache.values()].sort()).toEqual([1, 1, 2]);
});
