import type { Clock } from "../src/clock.ts";

/** A clock that moves only when told. */
export function createManualClock(
  start = 0,
): Clock & { advance(ms: number): void; readonly pending: number } {
  let now = start;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  return {
    now: () => now,
    setTimeout(callback, ms) {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    advance(ms) {
      now += ms;
      for (const timer of timers.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)) {
        timers = timers.filter((other) => other !== timer);
        timer.callback();
      }
    },
    get pending() {
      return timers.length;
    },
  };
}
