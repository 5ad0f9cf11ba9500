import type { KubeList, KubeObject } from "../kube-object.ts";
import { listMeta } from "./api-messages.ts";
import { decodeMessage } from "./decode-message.ts";
import type { ListReader, ListReaderOptions } from "./list-reader.ts";
import { createShape } from "./object-shape.ts";
import type { ProtoReader } from "./proto-reader.ts";
import { createProtoListSplitter, type ProtoListSplitter } from "./split-proto-list.ts";

/** Of the message that the reader is at. */
export type TakeMessage<T> = (reader: ProtoReader, end: number) => T;

export class ProtoList<T extends KubeObject> implements ListReader<T> {
  readonly #splitter: ProtoListSplitter;
  readonly #take: TakeMessage<T>;

  constructor({ kind, maxObjectBytes }: ListReaderOptions, take: TakeMessage<T>) {
    this.#splitter = createProtoListSplitter(`${kind}List`, maxObjectBytes);
    this.#take = take;
  }

  push(chunk: Uint8Array, onItem: (object: T) => void): void {
    this.#splitter.push(chunk, (reader, end) => onItem(this.#take(reader, end)));
  }

  end(): KubeList<T>["metadata"] {
    const metadata = decodeMessage(this.#splitter.end(), LIST_META) as Partial<KubeList<T>["metadata"]>;
    const { resourceVersion = "", continue: token, remainingItemCount } = metadata;
    return { resourceVersion, continue: token, remainingItemCount };
  }
}

const LIST_META = createShape(listMeta, { resourceVersion: true, continue: true, remainingItemCount: true });
