/** Time as a parameter, so that tests decide when it passes. Milliseconds throughout. */
export interface Clock {
  now(): number;
  setTimeout(callback: () => void, ms: number): { cancel(): void };
}

/** The machine's clock. A pending timer keeps the process alive: cancel what is no longer awaited. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(callback, ms) {
    const timer = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};
