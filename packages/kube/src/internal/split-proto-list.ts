import { KubeError } from "../error.ts";
import { checkKind, MAGIC } from "./proto-envelope.ts";
import { malformed, ProtoReader, WireType } from "./proto-reader.ts";

/**
 * Finds the items of a list in protobuf in chunks cut anywhere. A list is a message in a message: lengths say where
 * each item ends, so what is waited for is never more than one of them.
 */
export interface ProtoListSplitter {
  /** Calls `onItem` with the octets of each item that ends in this chunk; they are valid during the call only. */
  push(chunk: Uint8Array, onItem: (item: Uint8Array) => void): void;
  /** The octets of the list's metadata, once all is there. ERR_KUBE_PROTOCOL when it is not. */
  end(): Uint8Array;
}

/** `limit`: the most octets of one item, or of any other part. */
export function createProtoListSplitter(kind: string, limit: number): ProtoListSplitter {
  return new Splitter(kind, limit);
}

// Of runtime.Unknown, and of every list.
const TYPE_META = (1 << 3) | WireType.length;
const RAW = (2 << 3) | WireType.length;
const METADATA = (1 << 3) | WireType.length;
const ITEM = (2 << 3) | WireType.length;
/** A tag and a length at their longest. */
const MOST_HEADER_BYTES = 20;

class Splitter implements ProtoListSplitter {
  readonly #kind: string;
  readonly #limit: number;
  /** What came of a part whose end has not come, and how many octets the part has, where that is known already. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #needed = 0;
  #begun = false;
  #kindKnown = false;
  #entered = false;
  /** Octets of the list that are still to come; undefined outside of it. */
  #listBytes: number | undefined;
  #metadata: Buffer = EMPTY;

  constructor(kind: string, limit: number) {
    this.#kind = kind;
    this.#limit = limit;
  }

  push(chunk: Uint8Array, onItem: (item: Uint8Array) => void): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#heldBytes === 0) {
      this.#read(bytes, onItem);
      return;
    }
    const missing = this.#needed - this.#heldBytes;
    if (bytes.length < missing) {
      this.#hold(bytes);
      return;
    }
    // No more than the part needs, where that is known: the rest of the chunk need not be copied.
    const taken = missing > 0 ? missing : bytes.length;
    const whole = Buffer.concat([...this.#held, bytes.subarray(0, taken)]);
    this.#held = [];
    this.#heldBytes = 0;
    this.#read(whole, onItem);
    if (taken < bytes.length) this.push(bytes.subarray(taken), onItem);
  }

  end(): Uint8Array {
    if (!this.#entered || this.#heldBytes > 0 || this.#listBytes !== undefined) {
      throw new KubeError("ERR_KUBE_PROTOCOL", "a list that ended before it was whole");
    }
    return this.#metadata;
  }

  #read(bytes: Buffer, onItem: (item: Uint8Array) => void): void {
    this.#needed = 0;
    const reader = new ProtoReader(bytes);
    if (!this.#begun) {
      if (bytes.length < MAGIC.length) {
        this.#hold(bytes);
        return;
      }
      if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed();
      this.#begun = true;
      reader.at = MAGIC.length;
    }
    let { at } = reader;
    while (at < bytes.length && this.#readPart(reader, onItem)) at = reader.at;
    if (at < bytes.length) this.#hold(bytes.subarray(at));
  }

  /** False when it is not all there. */
  #readPart(reader: ProtoReader, onItem: (item: Uint8Array) => void): boolean {
    const { bytes, at: start } = reader;
    const header = readHeader(reader);
    if (header === undefined) return false;
    const { tag, length } = header;
    const left = this.#listBytes;
    if (left === undefined && tag === RAW) return this.#enterList(length);
    if (length > this.#limit) {
      throw new KubeError("ERR_KUBE_PROTOCOL", `a list with an object beyond ${this.#limit} octets`);
    }
    const end = reader.at + length;
    if (left !== undefined && end - start > left) throw malformed();
    if (end > bytes.length) {
      this.#needed = end - start;
      return false;
    }
    const part = reader.take(end);
    if (left !== undefined) this.#takeOfList(tag, part, left - (end - start), onItem);
    else if (tag === TYPE_META) {
      checkKind(part, this.#kind);
      this.#kindKnown = true;
    }
    return true;
  }

  #enterList(length: number): true {
    // What it is must be known before anything of it is handed out.
    if (!this.#kindKnown) throw malformed();
    this.#entered = true;
    if (length > 0) this.#listBytes = length;
    return true;
  }

  #takeOfList(tag: number, part: Buffer, left: number, onItem: (item: Uint8Array) => void): void {
    this.#listBytes = left === 0 ? undefined : left;
    if (tag === ITEM) onItem(part);
    // Copied: the chunk may be a part of a pooled buffer.
    else if (tag === METADATA) this.#metadata = Buffer.from(part);
  }

  #hold(part: Buffer): void {
    this.#held.push(Buffer.from(part));
    this.#heldBytes += part.length;
  }
}

/** A tag with its length; a field without one is passed over, with a length of 0. Undefined when it is not all there. */
function readHeader(reader: ProtoReader): { readonly tag: number; readonly length: number } | undefined {
  const { bytes, at } = reader;
  try {
    const tag = reader.tag(bytes.length);
    if ((tag & 7) !== WireType.length) {
      reader.skip(tag & 7, bytes.length);
      return { tag, length: 0 };
    }
    const length = reader.int(bytes.length);
    if (length < 0) throw malformed();
    return { tag, length };
  } catch (error) {
    // What is cut off and what is wrong look alike until there is enough to tell.
    if (bytes.length - at >= MOST_HEADER_BYTES) throw error;
    return undefined;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
