import { KubeError } from "../error.ts";
import type { KubeObject } from "../kube-object.ts";
import { anyObject } from "./api-messages.ts";
import { decodeMessage } from "./decode-message.ts";
import type { EventReader, EventReaderOptions, WireEvent } from "./event-reader.ts";
import { createShape } from "./object-shape.ts";
import { decodeStatus, unwrap } from "./proto-envelope.ts";
import { explicit, message, one } from "./proto-message.ts";
import { malformed } from "./proto-reader.ts";

const LENGTH_BYTES = 4;

/** Events as meta/v1 WatchEvents in protobuf, each after its length as four octets, the highest first. */
export class ProtoEvents<T extends KubeObject> implements EventReader<T> {
  readonly #options: EventReaderOptions;
  readonly #take: (object: Buffer) => T;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #chunk: Buffer = EMPTY;

  constructor(options: EventReaderOptions, take: (object: Buffer) => T) {
    this.#options = options;
    this.#take = take;
  }

  push(chunk: Uint8Array): void {
    this.#held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#heldBytes += chunk.byteLength;
  }

  next(): WireEvent<T> | undefined {
    const length = this.#peekLength();
    if (length === undefined || this.#chunk.length + this.#heldBytes < LENGTH_BYTES + length)
      return undefined;
    this.#join();
    const frame = this.#chunk.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
    this.#chunk = this.#chunk.subarray(LENGTH_BYTES + length);
    return this.#decode(frame);
  }

  end(): undefined {
    if (this.#chunk.length + this.#heldBytes === 0) return undefined;
    throw new KubeError("ERR_KUBE_UNREACHABLE", `${this.#options.what}: the watch broke off within an event`);
  }

  #peekLength(): number | undefined {
    if (this.#chunk.length < LENGTH_BYTES) this.#join();
    if (this.#chunk.length < LENGTH_BYTES) return undefined;
    const length = this.#chunk.readUInt32BE(0);
    if (length > this.#options.maxEventBytes) {
      throw this.#protocolError(`an event has more than ${this.#options.maxEventBytes} octets`);
    }
    return length;
  }

  #join(): void {
    if (this.#heldBytes === 0) return;
    this.#chunk = Buffer.concat([this.#chunk, ...this.#held]);
    this.#held = [];
    this.#heldBytes = 0;
  }

  #decode(frame: Buffer): WireEvent<T> {
    const { type = "", object } = decodeMessage(frame, EVENT) as {
      readonly type?: string;
      readonly object?: { readonly raw?: Buffer };
    };
    const bytes = object?.raw ?? EMPTY;
    switch (type) {
      case "ADDED":
      case "MODIFIED":
      case "DELETED":
        return { type, object: this.#take(bytes) };
      case "BOOKMARK":
        return { type, object: decodeMessage(unwrap(bytes), BOOKMARK) };
      case "ERROR": {
        const status = decodeStatus(bytes);
        if (status === undefined) throw malformed();
        return { type, object: status };
      }
      default:
        throw this.#protocolError("an event of an unknown type");
    }
  }

  #protocolError(why: string): KubeError {
    return new KubeError("ERR_KUBE_PROTOCOL", `${this.#options.what}: the watch sent ${why}`);
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
const EVENT = createShape(
  message({ type: one(1, "string"), object: explicit(2, message({ raw: one(1, "octets") })) }),
  true,
);
const BOOKMARK = createShape(anyObject, { metadata: { resourceVersion: true, annotations: true } });
