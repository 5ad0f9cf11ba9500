import { expect, test } from "vitest";
import { formatLength, formatRelative } from "./relative-time.ts";

const s = 1_000;
const m = 60 * s;
const h = 60 * m;
const d = 24 * h;

test.each([
  [0, "0 seconds"],
  [400, "0 seconds"],
  [999, "1 second"],
  [1 * s, "1 second"],
  [59 * s, "59 seconds"],
  [59.9 * s, "1 minute"],
  [90 * s, "1 minute 30 seconds"],
  [58 * m + 20 * s, "58 minutes"],
  [59 * m + 40 * s, "1 hour"],
  [1 * h + 30 * m, "1 hour 30 minutes"],
  [23 * h + 59 * m, "1 day"],
  [1 * d + 3 * h, "1 day 3 hours"],
  [364 * d + 23 * h, "1 year"],
  [90 * d, "90 days"],
  [-3 * d, "3 days"],
  [800 * d, "2 years 70 days"],
])("%d ms is %s", (ms, text) => {
  expect(formatLength(ms)).toBe(text);
});

test("past and future carry the instant", () => {
  const now = new Date("2026-01-31T12:00:00.000Z");
  expect(formatRelative(new Date("2026-01-31T12:58:00.000Z"), now)).toBe(
    "in 58 minutes (2026-01-31T12:58:00Z)",
  );
  expect(formatRelative(new Date("2026-01-28T12:00:00.000Z"), now)).toBe("3 days ago (2026-01-28T12:00:00Z)");
});
