import { expect, test } from "vitest";
import { createManualClock } from "./manual-clock.ts";

test("timers fire in order of time, each seeing its own time", async () => {
  const clock = createManualClock(1_000);
  const seen: [string, number][] = [];
  clock.setTimeout(() => seen.push(["b", clock.now()]), 20);
  clock.setTimeout(() => {
    seen.push(["a", clock.now()]);
    clock.setTimeout(() => seen.push(["nested", clock.now()]), 5);
  }, 10);
  clock.setTimeout(() => seen.push(["never", clock.now()]), 100).cancel();
  await clock.advance(50);
  expect(seen).toEqual([
    ["a", 1_010],
    ["nested", 1_015],
    ["b", 1_020],
  ]);
  expect(clock.now()).toBe(1_050);
  expect(clock.pending).toBe(0);
});

test("a step moves the wall clock and no timer", async () => {
  const clock = createManualClock(new Date(0));
  let fired = 0;
  clock.setTimeout(() => {
    fired += 1;
  }, 1_000);
  clock.step(60_000);
  expect([clock.now(), fired]).toEqual([60_000, 0]);
  await clock.advance(1_000);
  expect([clock.now(), fired]).toEqual([61_000, 1]);
});

test("what a timer started asynchronously is seen by the timers after it", async () => {
  const clock = createManualClock(0);
  let value = "";
  clock.setTimeout(() => void Promise.resolve().then(() => clock.setTimeout(() => (value = "late"), 10)), 10);
  await clock.advance(20);
  expect(value).toBe("late");
});
