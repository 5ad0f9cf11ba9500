import { KubeError } from "../error.ts";
import { checkKind, MAGIC } from "./proto-envelope.ts";
import { bufferOf, malformed, ProtoReader, WireType } from "./proto-reader.ts";

/**
 * Finds the items of a list in protobuf in chunks cut anywhere. A list is a message in a message: lengths say where
 * each item ends, so what is waited for is never more than one of them.
 */
export interface ProtoListSplitter {
  /** Calls `onItem` for each item that ends in this chunk, with a reader that is at it, and where it ends. */
  push(chunk: Uint8Array, onItem: OnItem): void;
  /** The octets of the list's metadata, once all is there. ERR_KUBE_PROTOCOL when it is not. */
  end(): Uint8Array;
}

type OnItem = (reader: ProtoReader, end: number) => void;

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
  /** What came of a part whose end has not come; its memory is used again for the next one. */
  #held: Buffer = Buffer.allocUnsafeSlow(16 * 1024);
  #heldBytes = 0;
  /** How many octets that part has, where that is known already. */
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

  push(chunk: Uint8Array, onItem: OnItem): void {
    let rest = bufferOf(chunk);
    while (this.#heldBytes > 0 && rest.length > 0) {
      // No more than the part needs, where that is known: the rest of the chunk need not be copied.
      const missing = this.#needed - this.#heldBytes;
      const taken = Math.min(rest.length, missing > 0 ? missing : MOST_HEADER_BYTES);
      this.#hold(rest.subarray(0, taken));
      rest = rest.subarray(taken);
      if (this.#heldBytes < this.#needed) return;
      const bytes = this.#held.subarray(0, this.#heldBytes);
      this.#heldBytes = 0;
      this.#read(bytes, onItem);
    }
    if (rest.length > 0) this.#read(rest, onItem);
  }

  end(): Uint8Array {
    if (!this.#entered || this.#heldBytes > 0 || this.#listBytes !== undefined) {
      throw new KubeError("ERR_KUBE_PROTOCOL", "a list that ended before it was whole");
    }
    return this.#metadata;
  }

  #read(bytes: Buffer, onItem: OnItem): void {
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
  #readPart(reader: ProtoReader, onItem: OnItem): boolean {
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
    if (left !== undefined) {
      this.#listBytes = end - start === left ? undefined : left - (end - start);
      if (tag === ITEM) onItem(reader, end);
      // Copied: the chunk may be a part of a pooled buffer.
      else if (tag === METADATA) this.#metadata = Buffer.from(reader.take(end));
    } else if (tag === TYPE_META) {
      checkKind(reader.take(end), this.#kind);
      this.#kindKnown = true;
    }
    reader.at = end;
    return true;
  }

  #enterList(length: number): true {
    // What it is must be known before anything of it is handed out.
    if (!this.#kindKnown) throw malformed();
    this.#entered = true;
    if (length > 0) this.#listBytes = length;
    return true;
  }

  /** May be called with what is held already: what is left of it moves to the front. */
  #hold(part: Buffer): void {
    const length = this.#heldBytes + part.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#held.length, length));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    part.copy(this.#held, this.#heldBytes);
    this.#heldBytes = length;
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
