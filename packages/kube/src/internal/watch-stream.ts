import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { KubeObject } from "../kube-object.ts";
import type { WatchEvent, WatchStream } from "../watch-event.ts";
import { LineSplitter } from "./line-splitter.ts";
import { leave, type OpenAnswer } from "./open-answer.ts";
import { toStatusFailure, type WireStatus } from "./read-answer.ts";

/** The events of a watch that the server has accepted. */
export function createWatchStream<T extends KubeObject>(
  answer: OpenAnswer,
  options: { readonly clock: Clock; readonly maxEventBytes: number },
): WatchStream<T> {
  return new EventStream<T>(answer, options);
}

// Not a generator: its return() would wait for the event that is awaited.
class EventStream<T extends KubeObject> implements WatchStream<T> {
  readonly #answer: OpenAnswer;
  readonly #clock: Clock;
  readonly #maxEventBytes: number;
  readonly #lines: LineSplitter;
  #ended = false;
  /** Settles the read that is awaited, when the stream is left. */
  #leaveRead: (() => void) | undefined;
  #failRead: ((reason: unknown) => void) | undefined;

  constructor(answer: OpenAnswer, options: { readonly clock: Clock; readonly maxEventBytes: number }) {
    this.#answer = answer;
    this.#clock = options.clock;
    this.#maxEventBytes = options.maxEventBytes;
    this.#lines = new LineSplitter(options.maxEventBytes);
    answer.scope.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<WatchEvent<T>>> {
    if (this.#ended) return DONE;
    try {
      const line = await this.#nextLine();
      if (line === undefined) return this.#end();
      return { done: false, value: this.#decode(line) };
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

  async #nextLine(): Promise<string | undefined> {
    for (;;) {
      const found = this.#lines.next();
      if (found === "too long") {
        throw this.#protocolError(`an event has more than ${this.#maxEventBytes} octets`);
      }
      if (found === undefined) {
        const step = await this.#read();
        if (this.#ended) return undefined;
        if (step.done) return this.#lastLine();
        this.#lines.push(step.value);
      } else if (found.line !== "") {
        return found.line;
      }
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

  #lastLine(): string | undefined {
    const rest = this.#lines.rest().trim();
    if (rest === "" || isJson(rest)) return rest || undefined;
    throw new KubeError("ERR_KUBE_UNREACHABLE", `${this.#answer.what}: the watch broke off within an event`);
  }

  #decode(line: string): WatchEvent<T> {
    const { type, object } = this.#parse(line);
    switch (type) {
      case "ADDED":
      case "MODIFIED":
      case "DELETED":
        return { type, object: object as T };
      case "BOOKMARK":
        return {
          type,
          resourceVersion: object.metadata?.resourceVersion ?? "",
          initialEventsEnd: object.metadata?.annotations?.["k8s.io/initial-events-end"] === "true",
        };
      case "ERROR": {
        const { headers } = this.#answer;
        // The headers were those of the watch that was accepted: a Retry-After in them is of something else.
        const own = { "audit-id": headers["audit-id"] };
        return {
          type,
          status: toStatusFailure(object as WireStatus, { code: 500, headers: own, clock: this.#clock }),
        };
      }
      default:
        throw this.#protocolError("an event of an unknown type");
    }
  }

  #parse(line: string): WireEvent {
    try {
      const event = JSON.parse(line) as Partial<WireEvent> | null;
      if (typeof event?.object === "object" && event.object !== null) return event as WireEvent;
    } catch {
      // The parser's own message quotes the line, which may be a Secret.
    }
    throw this.#protocolError("a line that is no event");
  }

  #protocolError(why: string): KubeError {
    return new KubeError("ERR_KUBE_PROTOCOL", `${this.#answer.what}: the watch sent ${why}`);
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

interface WireEvent {
  readonly type: string;
  readonly object: KubeObject;
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
