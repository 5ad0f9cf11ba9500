import fc from "fast-check";
import { expect, test } from "vitest";
import { parseCertificate } from "./certificate.ts";
import { createRoot } from "./issue.ts";
import { createTrustBundle, diffTrustBundles } from "./trust-bundle.ts";

const notAfter = new Date("2099-01-01T00:00:00Z");
const pool = Array.from({ length: 6 }, (_, i) => createRoot({ subject: `CN=${i}`, notAfter }).certificate);
const some = fc.array(fc.constantFrom(...pool), { maxLength: 12 });

test("a bundle is a set: order and repetitions do not count", () => {
  fc.assert(
    fc.property(some, some, (a, b) => {
      const same =
        new Set(a).size === new Set([...a, ...b]).size && new Set(b).size === new Set([...a, ...b]).size;
      expect(createTrustBundle(a).sha256 === createTrustBundle(b).sha256).toBe(same);
      expect(createTrustBundle(a).certificates).toEqual([...new Set(a)]);
    }),
  );
});

test("what was added and removed leads from one to the other", () => {
  fc.assert(
    fc.property(some, some, (a, b) => {
      const before = createTrustBundle(a);
      const after = createTrustBundle(b);
      const { added, removed } = diffTrustBundles(before, after);
      const kept = before.certificates.filter((certificate) => !removed.includes(certificate));
      expect(createTrustBundle([...kept, ...added]).sha256).toBe(after.sha256);
      expect(added.some((certificate) => before.has(certificate))).toBe(false);
      expect(removed.some((certificate) => after.has(certificate))).toBe(false);
    }),
  );
});

test("membership is by octets, and the bundle cannot be changed", () => {
  const [first, second] = pool;
  const bundle = createTrustBundle(pool.slice(0, 1));
  expect(bundle.has(parseCertificate(first!.der))).toBe(true);
  expect(bundle.has(second!)).toBe(false);
  expect(() => (bundle.certificates as unknown[]).push(second)).toThrow(TypeError);
  expect(createTrustBundle([]).certificates).toEqual([]);
});
