import fc from "fast-check";
import { expect, test } from "vitest";
import { compareResourceVersions } from "./resource-version.ts";

test("resource versions are ordered as the numbers they are, of any length", () => {
  const version = fc.bigInt({ min: 0n, max: 2n ** 100n });
  fc.assert(
    fc.property(version, version, (a, b) => {
      const order = compareResourceVersions(String(a), String(b));
      expect(Math.sign(order ?? Number.NaN)).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test.each([undefined, "", "01", "1a", "-1", "1.5", " 1", "0x1"])("nothing is said of %j", (version) => {
  expect(compareResourceVersions(version, "1")).toBeUndefined();
  expect(compareResourceVersions("1", version)).toBeUndefined();
});
