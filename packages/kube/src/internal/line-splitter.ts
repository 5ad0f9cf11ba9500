/**
 * Lines of a stream of octets, of which a chunk may hold many, or a part of one. Lines are decoded whole, so that
 * characters split between chunks are right, and found by octet, so that nothing is decoded twice.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The beginning of a line whose end has not come, in pieces. */
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Only once `next` had nothing more. */
  push(chunk: Uint8Array): void {
    this.#chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#at = 0;
  }

  /** The next line without its end; undefined when more octets are needed, "too long" when it is beyond the limit. */
  next(): { readonly line: string } | "too long" | undefined {
    const end = this.#chunk.indexOf(NEWLINE, this.#at);
    const piece = this.#chunk.subarray(this.#at, end < 0 ? undefined : end);
    if (this.#heldBytes + piece.length > this.#maxBytes) return "too long";
    if (end >= 0) {
      this.#at = end + 1;
      return { line: this.#join(piece) };
    }
    if (piece.length > 0) this.#held.push(piece);
    this.#heldBytes += piece.length;
    this.#chunk = EMPTY;
    this.#at = 0;
    return undefined;
  }

  /** What came after the last line. */
  rest(): string {
    return this.#join(EMPTY);
  }

  #join(last: Buffer): string {
    if (this.#held.length === 0) return last.toString();
    const line = Buffer.concat([...this.#held, last], this.#heldBytes + last.length).toString();
    this.#held = [];
    this.#heldBytes = 0;
    return line;
  }
}

const NEWLINE = 0x0a;
const EMPTY: Buffer = Buffer.alloc(0);
