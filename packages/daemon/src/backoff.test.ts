import { expect, test } from "vitest";
import { createManualClock } from "../test/manual-clock.ts";
import { createBackoff, delay } from "./backoff.ts";

test("delays grow to the maximum, with full jitter, and start over after a reset", () => {
  const highest = createBackoff({ baseMs: 100, maxMs: 1_000, random: () => 0.999_999 });
  expect([1, 2, 3, 4, 5, 6].map(() => highest.next())).toEqual([99, 199, 399, 799, 999, 999]);
  highest.reset();
  expect(highest.next()).toBe(99);
  const lowest = createBackoff({ random: () => 0 });
  expect([lowest.next(), lowest.next()]).toEqual([0, 0]);
  for (let attempt = 0; attempt < 2_000; attempt++) expect(Number.isFinite(highest.next())).toBe(true);
});

test("a wait ends with its time", async () => {
  const clock = createManualClock();
  const backoff = createBackoff({ baseMs: 100, random: () => 0.5, clock });
  const waiting = backoff.wait(new AbortController().signal);
  clock.advance(50);
  await waiting;
  expect(backoff.attempts).toBe(1);
});

test("an abort ends a wait at once and leaves no timer", async () => {
  const clock = createManualClock();
  const stop = new AbortController();
  const waiting = delay(1_000, stop.signal, clock);
  stop.abort(new Error("stopped"));
  await expect(waiting).rejects.toThrow("stopped");
  expect(clock.pending).toBe(0);
  await expect(delay(1, stop.signal, clock)).rejects.toThrow("stopped");
});
