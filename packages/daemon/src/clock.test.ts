import { expect, test, vi } from "vitest";
import { systemClock } from "./clock.ts";

test.each([2 ** 31, Number.POSITIVE_INFINITY])("a timer of %s ms does not fire at once", (ms) => {
  vi.useFakeTimers();
  try {
    const fired = vi.fn();
    const timer = systemClock.setTimeout(fired, ms);
    vi.advanceTimersByTime(2 ** 31 - 1);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(fired).toHaveBeenCalledTimes(ms === 2 ** 31 ? 1 : 0);
    timer.cancel();
  } finally {
    vi.useRealTimers();
  }
});
