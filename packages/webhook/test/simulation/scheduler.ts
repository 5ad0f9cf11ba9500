export interface Scheduled {
  cancel(): void;
}

/** The one order in which everything of a simulation happens, and its one time, in milliseconds since the start. */
export interface Scheduler {
  readonly now: number;
  /** Events that have neither happened nor been cancelled. */
  readonly pending: number;
  after(ms: number, happen: () => void): Scheduled;
  /** Lets events happen, one by one: what one has started settles before the next. Rejects with what an event throws. */
  run(untilMs: number): Promise<void>;
}

interface Event {
  readonly at: number;
  readonly order: number;
  happen: (() => void) | undefined;
}

/** So many events a turn of the event loop, which costs more than most of them. */
const EVENTS_A_TURN = 64;

/** `settled` is called after each event. */
export function createScheduler(settled: () => void): Scheduler {
  const heap: Event[] = [];
  let now = 0;
  let order = 0;
  let pending = 0;

  const next = (untilMs: number): Event | undefined => {
    for (let first = heap[0]; first && first.at <= untilMs; first = heap[0]) {
      removeFirst(heap);
      if (first.happen) return first;
    }
    return undefined;
  };

  return {
    get now() {
      return now;
    },
    get pending() {
      return pending;
    },
    after(ms, happen) {
      order += 1;
      const event: Event = { at: now + Math.max(0, ms), order, happen };
      insert(heap, event);
      pending += 1;
      return {
        cancel() {
          if (event.happen) pending -= 1;
          event.happen = undefined;
        },
      };
    },
    run: (untilMs) =>
      new Promise((resolve, reject) => {
        let ended = false;
        // Microtasks run between immediates, of which one turn of the loop takes all that were there at its start.
        const step = (): void => {
          if (ended) return;
          try {
            settled();
            const event = next(untilMs);
            if (event?.happen) {
              const { happen } = event;
              event.happen = undefined;
              pending -= 1;
              now = event.at;
              happen();
              setImmediate(step);
              return;
            }
            now = untilMs;
            ended = true;
            resolve();
          } catch (error) {
            ended = true;
            reject(error);
          }
        };
        for (let n = 0; n < EVENTS_A_TURN; n++) setImmediate(step);
      }),
  };
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

function insert(heap: Event[], event: Event): void {
  let index = heap.length;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Event;
    if (!isBefore(event, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = event;
}

function removeFirst(heap: Event[]): void {
  const last = heap.pop() as Event;
  const { length } = heap;
  if (length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= length) break;
    if (child + 1 < length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
    if (!isBefore(heap[child] as Event, last)) break;
    heap[index] = heap[child] as Event;
    index = child;
  }
  heap[index] = last;
}
