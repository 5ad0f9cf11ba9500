/** A clock for tests: time passes only when told. Structurally the `Clock` of `@newleaf/rotation` and of `@newleaf/kube`. */
export interface ManualClock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Milliseconds that have passed; never goes back. */
  monotonic(): number;
  setTimeout(callback: () => void, ms: number): { cancel(): void };
  /** Lets `ms` pass: due timers fire in order of time, and what they started settles before the next. */
  advance(ms: number): Promise<void>;
  /** Steps the wall clock alone, as NTP or a resumed laptop does: no timer fires early or late by it. */
  step(ms: number): void;
  /** Timers that have not fired. */
  readonly pending: number;
}

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A manual clock whose wall clock starts at `start` (a date, or milliseconds since the epoch). */
export function createManualClock(start: Date | number = Date.UTC(2030, 0, 1)): ManualClock {
  const timers = new Set<Timer>();
  let elapsed = 0;
  let offset = start.valueOf();
  let order = 0;

  const next = (limit: number): Timer | undefined =>
    [...timers].filter((timer) => timer.due <= limit).sort((a, b) => a.due - b.due || a.order - b.order)[0];

  return {
    now: () => offset + elapsed,
    monotonic: () => elapsed,
    setTimeout(callback, ms) {
      order += 1;
      const timer: Timer = { due: elapsed + Math.max(0, ms), order, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    async advance(ms) {
      const end = elapsed + ms;
      for (let timer = next(end); timer; timer = next(end)) {
        timers.delete(timer);
        elapsed = Math.max(elapsed, timer.due);
        timer.callback();
        await settle();
      }
      elapsed = end;
      await settle();
    },
    step: (ms) => {
      offset += ms;
    },
    get pending() {
      return timers.size;
    },
  };
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
