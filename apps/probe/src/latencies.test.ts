import { expect, test } from "vitest";
import { createLatencies } from "./latencies.ts";

test("percentiles are exact for few values", () => {
  const latencies = createLatencies();
  expect([latencies.percentile(0.5), latencies.max]).toEqual([undefined, undefined]);
  for (let ms = 100; ms >= 1; ms--) latencies.add(ms);
  expect([0, 0.5, 0.99, 1].map((fraction) => latencies.percentile(fraction))).toEqual([1, 51, 100, 100]);
  expect(latencies.max).toBe(100);
});

test("many values keep their percentiles and the memory of few", () => {
  const latencies = createLatencies();
  for (let index = 0; index < 200_000; index++) latencies.add(index % 1_000);
  expect(latencies.percentile(0.5)).toBeGreaterThan(450);
  expect(latencies.percentile(0.5)).toBeLessThan(550);
  expect(latencies.max).toBe(999);
});
