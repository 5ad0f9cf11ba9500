import { createManualClock } from "@newleaf/testing";
import { expect, test } from "vitest";
import { createTimetable } from "./timetable.ts";

test("wakes for the earliest, with one timer, and goes on while something is due", async () => {
  const clock = createManualClock(0);
  const dues = [1_000, 5_000, 90_000];
  const visits: number[] = [];
  const timetable = createTimetable(clock, (now) => {
    visits.push(now);
    return Math.min(...dues.filter((due) => due > now));
  });
  for (const due of [...dues].reverse()) timetable.expect(due);
  expect(clock.pending).toBe(1);
  await clock.advance(100_000);
  expect(visits).toEqual(dues);
  expect(clock.pending).toBe(0);
});

test("looks at most a hundred times a second", async () => {
  const clock = createManualClock(0);
  let visits = 0;
  const timetable = createTimetable(clock, (now) => {
    visits += 1;
    return now < 1_000 ? now + 1 : Number.POSITIVE_INFINITY;
  });
  timetable.expect(1);
  await clock.advance(2_000);
  expect(visits).toBeLessThanOrEqual(101);
});

test("closing ends it", async () => {
  const clock = createManualClock(0);
  const timetable = createTimetable(clock, () => expect.unreachable());
  timetable.expect(10);
  timetable.close();
  timetable.expect(5);
  expect(clock.pending).toBe(0);
  await clock.advance(100);
});
