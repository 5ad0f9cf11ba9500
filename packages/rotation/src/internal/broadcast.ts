/** One writer, any number of readers, and never more than `capacity` values waiting for a slow one. */
export interface Broadcast<T> {
  publish(value: T): void;
  /** A reader of all that is published from now on, after `initial`. It loses the oldest beyond `capacity`. */
  subscribe(options: {
    readonly capacity: number;
    readonly initial?: readonly T[];
    readonly signal?: AbortSignal | undefined;
  }): AsyncIterableIterator<T>;
  /** Ends all readers, now and later, once they have read what is waiting for them. */
  close(): void;
}

interface Reader<T> {
  push(value: T): void;
  end(): void;
}

export function createBroadcast<T>(): Broadcast<T> {
  const readers = new Set<Reader<T>>();
  let closed = false;
  return {
    publish(value) {
      for (const reader of readers) reader.push(value);
    },
    subscribe({ capacity, initial = [], signal }) {
      const { reader, iterator } = createReader<T>(capacity, signal, () => readers.delete(reader));
      readers.add(reader);
      if (!signal?.aborted) for (const value of initial) reader.push(value);
      if (closed || signal?.aborted) reader.end();
      return iterator;
    },
    close() {
      closed = true;
      for (const reader of [...readers]) reader.end();
    },
  };
}

function createReader<T>(
  capacity: number,
  signal: AbortSignal | undefined,
  onEnd: () => void,
): { reader: Reader<T>; iterator: AsyncIterableIterator<T> } {
  const values: T[] = [];
  const waiting: ((result: IteratorResult<T>) => void)[] = [];
  let ended = false;
  const end = (): void => {
    ended = true;
    signal?.removeEventListener("abort", abort);
    onEnd();
    for (const resolve of waiting.splice(0)) resolve({ done: true, value: undefined });
  };
  const abort = (): void => {
    values.length = 0;
    end();
  };
  signal?.addEventListener("abort", abort, { once: true });
  const reader: Reader<T> = {
    push(value) {
      const resolve = waiting.shift();
      if (resolve) resolve({ done: false, value });
      else values.push(value);
      if (values.length > capacity) values.shift();
    },
    end,
  };
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    next() {
      if (values.length > 0) return Promise.resolve({ done: false, value: values.shift() as T });
      if (ended) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve) => waiting.push(resolve));
    },
    return() {
      abort();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return { reader, iterator };
}
