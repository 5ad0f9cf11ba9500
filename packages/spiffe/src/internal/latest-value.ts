/** A value that changes: the current one, and its readers, of whom a slow one gets only the latest. */
export interface LatestValue<T> {
  current(): T;
  set(value: T): void;
  /** The current value, then each newer one. Ends with the signal, its `return()`, or `close`. */
  watch(signal?: AbortSignal): AsyncIterableIterator<T>;
  close(): void;
}

interface Reader {
  wake(): void;
  end(): void;
}

/** With undefined there is no value yet, and readers wait for the first. */
export function createLatestValue<T>(initial: T): LatestValue<T> {
  const readers = new Set<Reader>();
  let version = initial === undefined ? 0 : 1;
  let current = initial;
  let closed = false;

  const watch = (signal?: AbortSignal): AsyncIterableIterator<T> => {
    let read = 0;
    let ended = closed || signal?.aborted === true;
    const waiting: ((result: IteratorResult<T>) => void)[] = [];
    const answer = (): void => {
      while (waiting.length > 0 && (ended || read < version)) {
        const resolve = waiting.shift();
        if (ended) resolve?.({ done: true, value: undefined });
        else resolve?.({ done: false, value: current });
        read = version;
      }
    };
    const end = (): void => {
      ended = true;
      readers.delete(reader);
      signal?.removeEventListener("abort", end);
      answer();
    };
    // Not at once: of several values in one turn only the last counts.
    const reader: Reader = { wake: () => queueMicrotask(answer), end };
    if (!ended) {
      readers.add(reader);
      signal?.addEventListener("abort", end, { once: true });
    }
    const iterator: AsyncIterableIterator<T> = {
      [Symbol.asyncIterator]: () => iterator,
      next: () =>
        new Promise((resolve) => {
          waiting.push(resolve);
          answer();
        }),
      return: () => {
        end();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
    return iterator;
  };

  return {
    current: () => current,
    set(value) {
      current = value;
      version += 1;
      for (const reader of [...readers]) reader.wake();
    },
    watch,
    close() {
      closed = true;
      for (const reader of [...readers]) reader.end();
    },
  };
}
