import { createManualClock } from "@newleaf/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createBackoff } from "./backoff.ts";

test("each wait is between the doubled one and twice as much, and the doubling ends at 30 s", () => {
  const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.array(fraction, { minLength: 1, maxLength: 20 }), (fractions) => {
      let next = 0;
      const random = (): number => fractions[next++ % fractions.length]!;
      const backoff = createBackoff({ clock: createManualClock(), random });
      for (let failure = 0; failure < fractions.length; failure += 1) {
        const base = Math.min(30_000, 800 * 2 ** failure);
        const waitMs = backoff.next();
        expect(waitMs).toBeGreaterThanOrEqual(base);
        // A fraction just below 1 rounds up to it.
        expect(waitMs).toBeLessThanOrEqual(2 * base);
      }
    }),
  );
});

test("two minutes of health after the wait, and it begins anew", async () => {
  const clock = createManualClock();
  const backoff = createBackoff({ clock, random: () => 0 });
  expect([backoff.next(), backoff.next()]).toEqual([800, 1_600]);
  await clock.advance(2_400 + 119_000);
  expect(backoff.next()).toBe(3_200);
  await clock.advance(3_200 + 120_001);
  expect(backoff.next()).toBe(800);
});

test("what the server asked for comes on top, up to five minutes", () => {
  const backoff = createBackoff({ clock: createManualClock(), random: () => 0.5 });
  expect(backoff.next(5_000)).toBe(1_200 + 5_000);
  expect(backoff.next(1e9)).toBe(2_400 + 300_000);
  expect(backoff.next(-1)).toBe(4_800);
});
