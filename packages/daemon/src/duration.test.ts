import fc from "fast-check";
import { expect, test } from "vitest";
import { duration, formatDuration, parseDuration, roundMs } from "./duration.ts";
import { DaemonError } from "./error.ts";

test.each([
  ["500ms", 500],
  ["5s", 5_000],
  ["10m", 600_000],
  ["1h", 3_600_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["90d", 7_776_000_000],
  ["1m500ms", 60_500],
  ["0", 0],
  [" 2s ", 2_000],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  "",
  "5",
  "s",
  "5 s",
  "-5s",
  "1m1h",
  "5s5s",
  "1e3s",
  "5y",
  `${"1".repeat(400)}s`,
  "9999999999999999d",
])("%j is refused with a hint", (text) => {
  try {
    parseDuration(text);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(DaemonError);
    expect(error).toMatchObject({ code: "ERR_DAEMON_CONFIG", hint: expect.stringContaining("1h30m") });
  }
});

test("what formatDuration writes, parseDuration reads back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
  expect(formatDuration(5_400_000)).toBe("1h30m");
});

test("milliseconds for machines have at most three decimals", () => {
  expect([0, 5, 9_003.123_456, 0.000_4, 1.000_6].map(roundMs)).toEqual([0, 5, 9_003.123, 0, 1.001]);
});

test("the schema holds its limits", () => {
  const schema = duration({ min: "1s", max: "1m" });
  expect(schema.parse("30s")).toBe(30_000);
  expect(schema.safeParse("999ms").error?.issues[0]?.message).toContain("shorter than 1s");
  expect(schema.safeParse("61s").error?.issues[0]?.message).toContain("longer than 1m");
});
