import { KubeError } from "../error.ts";

/**
 * Finds the members of the top-level `items` array of a JSON object in chunks cut anywhere, without parsing it: a list
 * of 35 MB is decoded object by object as it arrives, so nothing blocks for long and nothing is held whole. What it
 * hands out is not yet known to be JSON; that is for who parses it.
 */
export interface ListItemSplitter {
  /** Calls `onItem` with the bytes of each member that ends in this chunk; they are valid during the call only. */
  push(chunk: Uint8Array, onItem: (json: Buffer) => void): void;
  /** The object with its `items` empty, once all is there. ERR_KUBE_PROTOCOL when it is not. */
  end(): Buffer;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** `limit`: the most bytes of one item, and of all that is not items. */
export function createListItemSplitter(limit: number): ListItemSplitter {
  return new Splitter(limit);
}

class Splitter implements ListItemSplitter {
  readonly #envelope: Collected;
  readonly #item: Collected;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #inItems = false;

  constructor(limit: number) {
    this.#envelope = new Collected(limit);
    this.#item = new Collected(limit);
  }

  push(chunk: Uint8Array, onItem: (json: Buffer) => void): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const { length } = bytes;
    let depth = this.#depth;
    let inItems = this.#inItems;
    // Where in this chunk begins what is being collected: the item, or the envelope.
    let start = 0;
    let i = this.#inString ? this.#skipString(bytes, 0) : 0;
    for (; i < length; i += 1) {
      const byte = bytes[i];
      if (byte === QUOTE) {
        if (inItems && depth === 2) throw notAnObject();
        i = this.#skipString(bytes, i + 1) - 1;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (
          depth === 1 &&
          byte === OPEN_BRACKET &&
          this.#envelope.endsWithItemsKey(bytes.subarray(start, i))
        ) {
          inItems = true;
          this.#envelope.add(bytes.subarray(start, i + 1));
        } else if (inItems && depth === 2) {
          if (byte === OPEN_BRACKET) throw notAnObject();
          start = i;
        }
        depth += 1;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        depth -= 1;
        if (inItems && depth === 2) {
          onItem(this.#item.take(bytes.subarray(start, i + 1)));
        } else if (inItems && depth === 1) {
          inItems = false;
          start = i;
        }
      } else if (inItems && depth === 2 && byte !== COMMA && !isSpace(byte)) {
        throw notAnObject();
      }
    }
    if (!inItems) this.#envelope.add(bytes.subarray(start));
    else if (depth > 2) this.#item.add(bytes.subarray(start));
    this.#depth = depth;
    this.#inItems = inItems;
  }

  end(): Buffer {
    if (this.#depth !== 0 || this.#inString) {
      throw new KubeError("ERR_KUBE_PROTOCOL", "a list that ended before it was whole");
    }
    return this.#envelope.take(Buffer.alloc(0));
  }

  /** The index after the string's closing quote, or the chunk's length. */
  #skipString(bytes: Buffer, from: number): number {
    const { length } = bytes;
    let i = from;
    if (this.#escaped && i < length) {
      this.#escaped = false;
      i += 1;
    }
    for (; i < length; i += 1) {
      const byte = bytes[i];
      if (byte === QUOTE) {
        this.#inString = false;
        return i + 1;
      }
      if (byte === BACKSLASH) {
        i += 1;
        if (i === length) this.#escaped = true;
      }
    }
    this.#inString = true;
    return length;
  }
}

/** Bytes that came in several chunks. */
class Collected {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#limit) throw tooLong(this.#limit);
    // Copied: the chunk may be a part of a pooled buffer, and is much more than this.
    if (part.length > 0) this.#parts.push(Buffer.from(part));
  }

  /** All, with `last`, which is copied only if something came before it. */
  take(last: Buffer): Buffer {
    if (this.#length + last.length > this.#limit) throw tooLong(this.#limit);
    const all = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#length = 0;
    return all;
  }

  /** A quote that belongs to a longer name is escaped in JSON. */
  endsWithItemsKey(last: Buffer): boolean {
    const tail = Buffer.concat([...this.#parts, last])
      .subarray(-64)
      .toString("latin1");
    return /(?:^|[^\\])"items"\s*:\s*$/.test(tail);
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function tooLong(limit: number): KubeError {
  return new KubeError("ERR_KUBE_PROTOCOL", `a list with an object beyond ${limit} bytes`);
}

function notAnObject(): KubeError {
  return new KubeError("ERR_KUBE_PROTOCOL", "a list with an item that is no object");
}
