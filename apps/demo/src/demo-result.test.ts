import { createStyle } from "@newleaf/daemon";
import { expect, test } from "vitest";
import { type DemoResult, percentile } from "./demo-result.ts";
import { renderResult } from "./render-result.ts";

test("percentiles are values that occurred", () => {
  expect(percentile([], 0.5)).toBe(0);
  expect(percentile([7], 0.99)).toBe(7);
  expect(percentile([4, 1, 3, 2], 0.5)).toBe(2);
  expect(
    percentile(
      Array.from({ length: 200 }, (_, index) => index + 1),
      0.99,
    ),
  ).toBe(198);
});

const good: DemoResult = {
  rotations: 21,
  requests: 300,
  failures: 0,
  refused: { no_certificate: 1, expired: 2 },
  servedLagMs: { p50: 4, p99: 9.25, max: 9.25 },
  drained: 12,
  clients: { undici: { requests: 300, failures: 0 } },
  legacy: { failedAfterMs: 9_000, reason: "expired" },
  caRollovers: 1,
  interrupted: false,
  problems: [],
};

test("the table has the figures, and problems where there are any", () => {
  const text = renderResult(good, createStyle(false));
  expect(text).toContain("rotations             21,");
  expect(text).toContain("p50 4.0 ms, p99 9.3 ms, max 9.3 ms");
  expect(text).toContain("failed after 9.0 s: expired");
  expect(text).not.toContain("problem");
  const early = { ...good, legacy: { failedAfterMs: null, reason: null }, interrupted: true };
  expect(renderResult(early, createStyle(false))).toMatch(/Interrupted[\s\S]*had not failed yet/);
  const bad = {
    ...good,
    legacy: { failedAfterMs: null, reason: null },
    problems: ["undici: 1 of 300 requests failed"],
  };
  expect(renderResult(bad, createStyle(false))).toContain("problem: undici: 1 of 300 requests failed");
});
