import { KubeError } from "../error.ts";
import type { KubeList, KubeObject } from "../kube-object.ts";
import type { ListReader, ListReaderOptions } from "./list-reader.ts";
import type { OpenAnswer } from "./open-answer.ts";
import { readList } from "./read-list.ts";
import { createListItemSplitter, type ListItemSplitter } from "./split-list-items.ts";
import { WholeAnswer } from "./whole-answer.ts";

/** `take` makes of an object what is wanted of it. */
export class JsonList<T extends KubeObject> implements ListReader<T> {
  readonly #answer: OpenAnswer;
  readonly #options: ListReaderOptions;
  readonly #take: (object: object) => T;
  readonly #splitter: ListItemSplitter;

  constructor(answer: OpenAnswer, options: ListReaderOptions, take: (object: object) => T) {
    this.#answer = answer;
    this.#options = options;
    this.#take = take;
    this.#splitter = createListItemSplitter(options.maxObjectBytes);
  }

  push(chunk: Uint8Array, onItem: (object: T) => void): void {
    this.#splitter.push(chunk, (json) => onItem(this.#decode(json)));
  }

  end(onItem: (object: T) => void): KubeList<T>["metadata"] {
    const { status, headers, what } = this.#answer;
    const rest = new WholeAnswer({ status, headers, octets: this.#splitter.end(), what });
    const { items, metadata } = readList(rest, this.#options);
    // Empty, unless the name was written in a way that the splitter does not know.
    for (const item of items) onItem(this.#take(item));
    return metadata;
  }

  #decode(json: Buffer): T {
    const object = parse(json, this.#answer.what);
    object.apiVersion ??= this.#options.apiVersion;
    object.kind ??= this.#options.kind;
    return this.#take(object);
  }
}

function parse(json: Buffer, what: string): KubeObject {
  try {
    return JSON.parse(json.toString()) as KubeObject;
  } catch {
    // The parser's own message quotes the object, which may be a Secret.
    throw new KubeError("ERR_KUBE_PROTOCOL", `${what}: a list with an object that is no JSON`);
  }
}
