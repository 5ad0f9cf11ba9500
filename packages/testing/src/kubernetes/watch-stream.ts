import type { StoreClock } from "./kube-store.ts";
import type { WatchItem } from "./kube-watch.ts";

export interface WatchStreamOptions {
  readonly clock: StoreClock;
  readonly signal: AbortSignal;
  /** When the server ends the watch. */
  readonly timeoutMs: number;
  /** How often a bookmark is due; undefined for none. */
  readonly bookmarkMs: number | undefined;
  bookmark(): WatchItem;
  /** One line with its newline. */
  encode(item: WatchItem): Uint8Array;
  /** Always called once, however it ends. */
  closed(): void;
}

/** A slow reader is let go rather than remembered for, as the API server does. */
const MAX_QUEUED = 200_000;

/** The stream of a watch, and the end of it that the server holds. */
export interface ServedWatch {
  readonly stream: AsyncIterableIterator<Uint8Array>;
  deliver(item: WatchItem): void;
  end(): void;
}

/**
 * Lines are encoded when they are read. The stream ends at its timeout, with `end`, and after an ERROR; an aborted
 * signal makes it reject with the reason.
 */
export function createWatchStream(options: WatchStreamOptions): ServedWatch {
  const { clock, signal } = options;
  let queue: WatchItem[] = [];
  let read = 0;
  let ended = false;
  let wake: (() => void) | undefined;

  const timers = new Set<{ cancel(): void }>();
  const after = (ms: number, callback: () => void): void => {
    const timer = clock.setTimeout(() => {
      timers.delete(timer);
      callback();
    }, ms);
    timers.add(timer);
  };
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  const close = (): void => {
    if (ended) return;
    ended = true;
    for (const timer of timers) timer.cancel();
    timers.clear();
    signal.removeEventListener("abort", abort);
    options.closed();
    notify();
  };
  const abort = (): void => {
    queue = [];
    close();
  };
  const deliver = (item: WatchItem): void => {
    if (ended) return;
    queue.push(item);
    if (item.type === "ERROR" || queue.length > MAX_QUEUED) close();
    notify();
  };
  const bookmarks = (ms: number): void =>
    after(ms, () => {
      deliver(options.bookmark());
      bookmarks(ms);
    });

  signal.addEventListener("abort", abort, { once: true });
  after(options.timeoutMs, close);
  if (options.bookmarkMs !== undefined) bookmarks(options.bookmarkMs);
  if (signal.aborted) abort();

  const stream: AsyncIterableIterator<Uint8Array> = {
    async next() {
      for (;;) {
        signal.throwIfAborted();
        const item = queue[read];
        if (item) read += 1;
        if (read >= queue.length || read > 1000) {
          queue = queue.slice(read);
          read = 0;
        }
        if (item) return { done: false, value: options.encode(item) };
        if (ended) return { done: true, value: undefined };
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async return() {
      abort();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return { stream, deliver, end: close };
}
