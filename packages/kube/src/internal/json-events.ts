import { KubeError } from "../error.ts";
import type { KubeObject } from "../kube-object.ts";
import type { EventReader, EventReaderOptions, WireEvent } from "./event-reader.ts";
import { LineSplitter } from "./line-splitter.ts";

/** Events as JSON, a line each. `take` makes of an object what is wanted of it. */
export class JsonEvents<T extends KubeObject> implements EventReader<T> {
  readonly #options: EventReaderOptions;
  readonly #take: (object: object) => T;
  readonly #lines: LineSplitter;

  constructor(options: EventReaderOptions, take: (object: object) => T) {
    this.#options = options;
    this.#take = take;
    this.#lines = new LineSplitter(options.maxEventBytes);
  }

  push(chunk: Uint8Array): void {
    this.#lines.push(chunk);
  }

  next(): WireEvent<T> | undefined {
    for (;;) {
      const found = this.#lines.next();
      if (found === undefined) return undefined;
      if (found === "too long") {
        throw this.#protocolError(`an event has more than ${this.#options.maxEventBytes} octets`);
      }
      if (found.line !== "") return this.#decode(found.line);
    }
  }

  end(): WireEvent<T> | undefined {
    const rest = this.#lines.rest().trim();
    if (rest === "") return undefined;
    if (isJson(rest)) return this.#decode(rest);
    throw new KubeError("ERR_KUBE_UNREACHABLE", `${this.#options.what}: the watch broke off within an event`);
  }

  #decode(line: string): WireEvent<T> {
    const { type, object } = this.#parse(line);
    switch (type) {
      case "ADDED":
      case "MODIFIED":
      case "DELETED":
        return { type, object: this.#take(object) };
      case "BOOKMARK":
      case "ERROR":
        return { type, object };
      default:
        throw this.#protocolError("an event of an unknown type");
    }
  }

  #parse(line: string): { readonly type: string; readonly object: object } {
    try {
      const event = JSON.parse(line) as { readonly type: string; readonly object?: object | null } | null;
      if (typeof event?.object === "object" && event.object !== null) {
        return { type: event.type, object: event.object };
      }
    } catch {
      // The parser's own message quotes the line, which may be a Secret.
    }
    throw this.#protocolError("a line that is no event");
  }

  #protocolError(why: string): KubeError {
    return new KubeError("ERR_KUBE_PROTOCOL", `${this.#options.what}: the watch sent ${why}`);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
