/** A started timer; cancelling it twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as this package sees it. `now` is the wall clock in milliseconds since the epoch and may step either way,
 * so whoever waits for an instant compares `now` again when the timer fires.
 */
export interface Clock {
  now(): number;
  setTimeout(callback: () => void, ms: number): Timer;
}

/** The longest the system clock waits without looking at the wall clock again. */
const LONGEST_STEP_MS = 60_000;

/**
 * Real time. Timers do not keep the process alive, have no upper limit, and fire as soon as either the wall clock
 * or the monotonic clock says that the time is over (seen within 60 s).
 */
export const systemClock: Clock = Object.freeze({ now: () => Date.now(), setTimeout: startTimer });

// The monotonic clock stands still while the machine is suspended, and a single setTimeout beyond 24.8 days fires
// at once: long waits are made of short ones.
function startTimer(callback: () => void, ms: number): Timer {
  const wallDeadline = Date.now() + ms;
  const monotonicDeadline = performance.now() + ms;
  let handle: NodeJS.Timeout | undefined;
  const step = (): void => {
    const left = Math.min(wallDeadline - Date.now(), monotonicDeadline - performance.now());
    if (left < 1) callback();
    else wait(left);
  };
  const wait = (left: number): void => {
    handle = setTimeout(step, Math.min(left, LONGEST_STEP_MS)).unref();
  };
  wait(ms);
  return { cancel: () => clearTimeout(handle) };
}
