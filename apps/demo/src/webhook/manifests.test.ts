import { expect, test } from "vitest";
import { manifestAt } from "./manifests.ts";

test("fine, warned about and denied in turn, denied ones new and as updates of what is stored", () => {
  const manifests = Array.from({ length: 60 }, (_, n) => manifestAt(n));
  const count = (expected: string): number => manifests.filter((one) => one.expected === expected).length;
  expect(["allowed", "warned", "denied"].map(count)).toEqual([20, 20, 20]);
  const denied = manifests.filter(({ expected }) => expected === "denied");
  expect(new Set(denied.map(({ rule }) => rule))).toEqual(new Set(["subpath", "tls-env"]));
  const stored = new Set<string>();
  for (const { name, expected, rule } of manifests) {
    if (rule === "tls-env") expect(stored, name).toContain(name);
    if (rule === "subpath") expect(stored, name).not.toContain(name);
    if (expected !== "denied") stored.add(name);
  }
});
