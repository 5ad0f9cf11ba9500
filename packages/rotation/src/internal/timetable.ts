import type { Clock, Timer } from "../clock.ts";

/** Looks at all entries when something is due for one of them, with one timer for all. */
export interface Timetable {
  /** Something is due at this time (milliseconds since the epoch). */
  expect(at: number): void;
  close(): void;
}

/** Dues closer together than this are seen to together, which bounds the cost of ten thousand of them. */
const SHORTEST_WAIT_MS = 10;

/** `visit` does what is due now and returns when the next thing is due, infinity if nothing is. */
export function createTimetable(clock: Clock, visit: (now: number) => number): Timetable {
  let timer: Timer | undefined;
  let wakeAt = Number.POSITIVE_INFINITY;
  let closed = false;

  const expect = (at: number): void => {
    if (closed || at >= wakeAt || at === Number.POSITIVE_INFINITY) return;
    timer?.cancel();
    wakeAt = at;
    timer = clock.setTimeout(
      () => {
        timer = undefined;
        wakeAt = Number.POSITIVE_INFINITY;
        expect(visit(clock.now()));
      },
      Math.max(SHORTEST_WAIT_MS, at - clock.now()),
    );
  };

  return {
    expect,
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
