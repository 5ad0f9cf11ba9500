/**
 * Time as this package sees it, in milliseconds. `now` is the wall clock and may step either way; `monotonic` never
 * goes back and is what leases and deadlines are judged by.
 */
export interface Clock {
  now(): number;
  monotonic(): number;
  setTimeout(callback: () => void, ms: number): { cancel(): void };
}

/**
 * The machine's clock. A pending timer keeps the process alive, so that a client that waits for its API server is not
 * taken for one that has nothing to do. Waits are capped at 24.8 days, Node's own limit.
 */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout(callback: () => void, ms: number) {
    const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1));
    return { cancel: () => clearTimeout(timer) };
  },
});
