import type { StoreClock } from "./kube-store.ts";

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: StoreClock = Object.freeze({
  now: () => Date.now(),
  setTimeout(callback: () => void, ms: number) {
    const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1)).unref();
    return { cancel: () => clearTimeout(timer) };
  },
});
