import { createManualClock } from "@newleaf/testing";
import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";
import { delay, withDeadline } from "./deadline.ts";

const never = (): Promise<never> => new Promise(() => {});

test("work that is done in time gives its result and leaves no timer", async () => {
  const clock = createManualClock();
  const { signal } = new AbortController();
  expect(await withDeadline(clock, 100, signal, () => "now")).toBe("now");
  await expect(
    withDeadline(clock, 100, signal, () => {
      throw new Error("at once");
    }),
  ).rejects.toThrow("at once");
  expect(clock.pending).toBe(0);
});

test("at the deadline the work is told, and is not waited for even if it does not listen", async () => {
  const clock = createManualClock();
  let told: AbortSignal | undefined;
  const outcome = withDeadline(clock, 100, new AbortController().signal, (signal) => {
    told = signal;
    return never();
  });
  const assertion = expect(outcome).rejects.toMatchObject({ code: "ERR_ROTATION_TIMEOUT" });
  await clock.advance(100);
  await assertion;
  expect(told?.aborted).toBe(true);
});

test("the parent's reason passes through, before and while working", async () => {
  const clock = createManualClock();
  const parent = new AbortController();
  const outcome = withDeadline(clock, 100, parent.signal, never);
  const waiting = delay(clock, 100, parent.signal);
  parent.abort(new Error("stop"));
  await expect(outcome).rejects.toThrow("stop");
  await expect(waiting).rejects.toThrow("stop");
  await expect(withDeadline(clock, 100, parent.signal, () => 1)).rejects.toThrow("stop");
  await expect(delay(clock, 100, parent.signal)).rejects.toThrow("stop");
  expect(clock.pending).toBe(0);
});

test("backoff doubles up to its limit, and half of it is random", () => {
  for (const [failures, full] of [
    [1, 100],
    [2, 200],
    [5, 1_600],
    [50, 5_000],
    [5_000, 5_000],
  ] as const) {
    const waits = Array.from({ length: 100 }, () => backoffMs(failures, 100, 5_000));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(full / 2);
    expect(Math.max(...waits)).toBeLessThanOrEqual(full);
    expect(new Set(waits).size).toBeGreaterThan(1);
  }
});
