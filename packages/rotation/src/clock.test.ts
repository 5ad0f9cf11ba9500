import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "./clock.ts";

const HOUR = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

test("a wait longer than setTimeout can do fires when it is over and not before", () => {
  const fired = vi.fn();
  systemClock.setTimeout(fired, 30 * 24 * HOUR);
  vi.advanceTimersByTime(30 * 24 * HOUR - 1_000);
  expect(fired).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2_000);
  expect(fired).toHaveBeenCalledOnce();
});

test("a wall clock that jumped ahead, as after a suspend, is noticed within a minute", () => {
  const fired = vi.fn();
  systemClock.setTimeout(fired, 5 * HOUR);
  vi.setSystemTime(6 * HOUR);
  vi.advanceTimersByTime(60_000);
  expect(fired).toHaveBeenCalledOnce();
});

test("a wall clock set back does not prolong a wait", () => {
  const fired = vi.fn();
  systemClock.setTimeout(fired, 2 * HOUR);
  vi.setSystemTime(-HOUR);
  vi.advanceTimersByTime(2 * HOUR + 1);
  expect(fired).toHaveBeenCalledOnce();
});

test("a cancelled timer never fires, whichever of its steps it is in", () => {
  const fired = vi.fn();
  const timer = systemClock.setTimeout(fired, HOUR);
  vi.advanceTimersByTime(HOUR / 2);
  timer.cancel();
  timer.cancel();
  vi.advanceTimersByTime(HOUR);
  expect(fired).not.toHaveBeenCalled();
});
