/** Time as a parameter, so that tests decide when it passes. Milliseconds throughout. */
export interface Clock {
  now(): number;
  setTimeout(callback: () => void, ms: number): { cancel(): void };
}

/** What Node's timers can wait for at once; beyond it they fire immediately. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * The machine's clock, without an upper limit. A pending timer keeps the process alive: cancel what is no longer
 * awaited.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(callback, ms) {
    let left = ms;
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      const step = Math.min(left, LONGEST_MS);
      left -= step;
      timer = setTimeout(left > 0 ? wait : callback, step);
    };
    wait();
    return { cancel: () => clearTimeout(timer) };
  },
};
