import type { Generation, IdentitySource, Refusal } from "@newleaf/rotation";

/** A source that stays with one generation for ever: a program that reads its certificate once. */
export function frozenSource(generation: Generation): IdentitySource {
  return {
    current: () => generation,
    watch: (signal) => onceThenWait<Generation>(generation, signal),
    refusals: (signal) => onceThenWait<Refusal>(undefined, signal),
    status: () => ({
      stale: false,
      expired: generation.notAfter.getTime() < Date.now(),
      withdrawn: undefined,
      lastRefusal: undefined,
      refusals: {},
      warnings: [],
      updates: 1,
    }),
    reload: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Yields the value, if there is one, and ends with the signal or with `return`. */
function onceThenWait<T>(value: T | undefined, signal?: AbortSignal): AsyncIterableIterator<T> {
  let pending = value;
  let end: () => void = () => undefined;
  const ended = new Promise<IteratorResult<T>>((resolve) => {
    end = () => resolve({ done: true, value: undefined });
  });
  if (signal?.aborted) end();
  signal?.addEventListener("abort", end, { once: true });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      const next = pending;
      pending = undefined;
      return next === undefined ? ended : Promise.resolve({ done: false, value: next });
    },
    return() {
      end();
      return ended;
    },
  };
}
