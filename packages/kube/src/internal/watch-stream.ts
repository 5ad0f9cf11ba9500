import type { Clock } from "../clock.ts";
import type { KubeObject } from "../kube-object.ts";
import type { WatchEvent, WatchStream } from "../watch-event.ts";
import type { EventReader, WireEvent } from "./event-reader.ts";
import { leave, type OpenAnswer } from "./open-answer.ts";
import { toStatusFailure } from "./read-answer.ts";

/** The events of a watch that the server has accepted. */
export function createWatchStream<T extends KubeObject>(
  answer: OpenAnswer,
  reader: EventReader<T>,
  clock: Clock,
): WatchStream<T> {
  return new EventStream<T>(answer, reader, clock);
}

// Not a generator: its return() would wait for the event that is awaited.
class EventStream<T extends KubeObject> implements WatchStream<T> {
  readonly #answer: OpenAnswer;
  readonly #clock: Clock;
  readonly #events: EventReader<T>;
  #ended = false;
  /** Settles the read that is awaited, when the stream is left. */
  #leaveRead: (() => void) | undefined;
  #failRead: ((reason: unknown) => void) | undefined;

  constructor(answer: OpenAnswer, reader: EventReader<T>, clock: Clock) {
    this.#answer = answer;
    this.#clock = clock;
    this.#events = reader;
    answer.scope.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<WatchEvent<T>>> {
    if (this.#ended) return DONE;
    try {
      const event = await this.#nextEvent();
      if (event === undefined) return this.#end();
      return { done: false, value: this.#take(event) };
    } catch (error) {
      // Left while it waited: what the body made of that is no failure.
      if (this.#ended) return DONE;
      this.#end();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<WatchEvent<T>>> {
    return this.#end();
  }

  async #nextEvent(): Promise<WireEvent<T> | undefined> {
    for (;;) {
      const event = this.#events.next();
      if (event !== undefined) return event;
      const step = await this.#read();
      if (this.#ended) return undefined;
      if (step.done) return this.#events.end();
      this.#events.push(step.value);
    }
  }

  #read(): Promise<IteratorResult<Uint8Array>> {
    const { scope, body } = this.#answer;
    return new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
      if (scope.signal.aborted) return reject(scope.signal.reason);
      this.#leaveRead = () => resolve({ done: true, value: undefined });
      this.#failRead = reject;
      body.next().then(resolve, reject);
    });
  }

  #take(event: WireEvent<T>): WatchEvent<T> {
    const { type, object } = event;
    switch (type) {
      case "BOOKMARK":
        return {
          type,
          resourceVersion: object.metadata?.resourceVersion ?? "",
          initialEventsEnd: object.metadata?.annotations?.["k8s.io/initial-events-end"] === "true",
        };
      case "ERROR": {
        // The headers were those of the watch that was accepted: a Retry-After in them is of something else.
        const headers = { "audit-id": this.#answer.headers["audit-id"] };
        return { type, status: toStatusFailure(object, { code: 500, headers, clock: this.#clock }) };
      }
      default:
        return event;
    }
  }

  readonly #onAbort = (): void => this.#failRead?.(this.#answer.scope.signal.reason);

  #end(): IteratorReturnResult<undefined> {
    if (this.#ended) return DONE;
    this.#ended = true;
    this.#leaveRead?.();
    this.#answer.scope.signal.removeEventListener("abort", this.#onAbort);
    // The signal first: a generator's return() waits for its own next().
    this.#answer.scope.abort();
    this.#answer.scope.end();
    leave(this.#answer.body);
    return DONE;
  }
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });
