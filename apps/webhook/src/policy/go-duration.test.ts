import { expect, test } from "vitest";
import { parseGoDuration } from "./go-duration.ts";

test.each([
  ["2160h", 2160 * 3_600_000],
  ["8760h0m0s", 8760 * 3_600_000],
  ["1.5h", 5_400_000],
  [".5s", 500],
  ["1m1m", 120_000],
  ["-5m", -300_000],
  ["+1s", 1_000],
  ["500us", 0.5],
  ["0", 0],
  ["0s", 0],
])("%s", (text, ms) => {
  expect(parseGoDuration(text)).toBe(ms);
});

test.each([
  "",
  "5",
  "1d",
  "1h ",
  " 1h",
  "h",
  "1hh",
  "-",
  "1h-5m",
  "9999999999h",
  "1e3s",
  `${"1h".repeat(40)}`,
])("%j is none", (text) => {
  expect(parseGoDuration(text)).toBeUndefined();
});
