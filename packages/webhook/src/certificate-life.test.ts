import { createRoot } from "@newleaf/x509";
import fc from "fast-check";
import { expect, test } from "vitest";
import { momentOfLife, renewalTime } from "./certificate-life.ts";

const issuedAt = Date.UTC(2030, 0, 1);
const issue = (lifeMs: number, backdateMs: number, name = "a") =>
  createRoot({
    subject: `CN=${name}`,
    notBefore: new Date(issuedAt - backdateMs),
    notAfter: new Date(issuedAt + lifeMs),
  }).certificate;

test("a life of 30 s is renewed after 18 to 20 s, however far notBefore lies back", () => {
  for (const backdateMs of [0, 60_000, 600_000]) {
    const after = renewalTime(issue(30_000, backdateMs), backdateMs) - issuedAt;
    expect(after).toBeGreaterThan(18_000);
    expect(after).toBeLessThanOrEqual(20_000);
  }
});

test("renewals of many certificates do not come together, and every replica finds the same moment", () => {
  const moments = ["a", "b", "c", "d", "e"].map((name) => renewalTime(issue(86_400_000, 0, name), 0));
  expect(new Set(moments).size).toBe(5);
  expect(["a", "b", "c", "d", "e"].map((name) => renewalTime(issue(86_400_000, 0, name), 0))).toEqual(
    moments,
  );
});

test("whatever the setting of another leader, renewal lies within the validity", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 400_000 }),
      fc.integer({ min: 0, max: 1_000 }),
      fc.integer({ min: 0, max: 1_000_000 }),
      (lifeSeconds, issuedWith, readWith) => {
        const certificate = issue(lifeSeconds * 1_000, issuedWith * 1_000);
        const at = renewalTime(certificate, readWith * 1_000);
        expect(at).toBeGreaterThanOrEqual(certificate.notBefore.getTime());
        expect(at).toBeLessThan(certificate.notAfter.getTime());
        expect(momentOfLife(certificate, readWith * 1_000, 1)).toBe(certificate.notAfter.getTime());
      },
    ),
    { numRuns: 50 },
  );
});
