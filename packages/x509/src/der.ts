import { Buffer } from "node:buffer";
import { X509Error } from "./error.ts";

/** Identifier octets of the universal types this package meets (X.690 8.1.2). */
export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  NUMERIC_STRING: 0x12,
  PRINTABLE_STRING: 0x13,
  TELETEX_STRING: 0x14,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  VISIBLE_STRING: 0x1a,
  UNIVERSAL_STRING: 0x1c,
  BMP_STRING: 0x1e,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** Identifier octet of the context-specific tag `[number]`, constructed unless told otherwise. */
export function contextTag(number: number, form: "constructed" | "primitive" = "constructed"): number {
  return (form === "constructed" ? 0xa0 : 0x80) | number;
}

/** Bounds on one DER value; depth 1 is a value without children. */
export interface DerLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxElements: number;
}

/** One tag-length-value. It is a window on the octets it was read from: nothing is copied. */
export class DerElement {
  /** All octets the cursor works on; `start`, `contentStart` and `end` are offsets into them. */
  readonly bytes: Buffer;
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;

  constructor(bytes: Buffer, tag: number, start: number, contentStart: number, end: number) {
    this.bytes = bytes;
    this.tag = tag;
    this.start = start;
    this.contentStart = contentStart;
    this.end = end;
  }

  /** Number of content octets. */
  get length(): number {
    return this.end - this.contentStart;
  }

  /** View of the whole element, header included. */
  get raw(): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + this.start, this.end - this.start);
  }

  /** View of the content octets. */
  get content(): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + this.contentStart, this.length);
  }

  /** The content octets in lower-case hex. */
  get hex(): string {
    return this.bytes.toString("hex", this.contentStart, this.end);
  }

  /** Cursor over the content: the children of a constructed element, or DER wrapped in an OCTET STRING. */
  children(): DerCursor {
    return new DerCursor(this.bytes, this.contentStart, this.end);
  }
}

/**
 * Reads strict DER element by element, forward only. Every header is checked: definite minimal lengths of at
 * most four octets, no high tag numbers, primitive and constructed forms as DER demands, nothing past the end.
 */
export class DerCursor {
  readonly bytes: Buffer;
  readonly end: number;
  #position: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = asBuffer(bytes);
    this.#position = start;
    this.end = end;
  }

  /** Offset of the next element. */
  get position(): number {
    return this.#position;
  }

  get done(): boolean {
    return this.#position >= this.end;
  }

  /** Identifier octet of the next element; undefined at the end. */
  peek(): number | undefined {
    return this.#position < this.end ? this.bytes[this.#position] : undefined;
  }

  /** The next element, whatever its tag. */
  read(): DerElement {
    const start = this.#position;
    const end = elementEnd(this.bytes, start, this.end);
    this.#position = end;
    return new DerElement(this.bytes, this.bytes[start] ?? 0, start, contentOffset(this.bytes, start), end);
  }

  /** The next element, which must carry `tag`; `what` names it in the error. */
  take(tag: number, what: string): DerElement {
    if (this.peek() !== tag) throw unexpected(this, tag, what);
    return this.read();
  }

  /** The next element if it carries `tag`, for OPTIONAL and DEFAULT fields. */
  takeOptional(tag: number): DerElement | undefined {
    return this.peek() === tag ? this.read() : undefined;
  }

  /** Refuses elements that were not read. */
  finish(what: string): void {
    if (!this.done) throw damage(`unexpected data after ${what}`, this.#position);
  }
}

/** Reads octets that must be exactly one element with `tag`: nothing may follow it. */
export function readDer(bytes: Uint8Array, tag: number, what: string): DerElement {
  const cursor = new DerCursor(bytes);
  const element = cursor.take(tag, what);
  cursor.finish(what);
  return element;
}

/**
 * Checks the DER headers of everything in `[start, end)`, children of constructed elements included, without
 * recursion and within `limits`. Returns the number of elements.
 */
export function checkDer(
  bytes: Uint8Array,
  limits: DerLimits,
  start = 0,
  end: number = bytes.length,
): number {
  if (end - start > limits.maxBytes) {
    throw new X509Error(
      "ERR_X509_LIMIT",
      `${end - start} octets where at most ${limits.maxBytes} are allowed`,
    );
  }
  const ends: number[] = [];
  let limit = end;
  let position = start;
  let count = 0;
  while (position < limit || ends.length > 0) {
    if (position === limit) {
      limit = ends.pop() ?? end;
      continue;
    }
    const next = elementEnd(bytes, position, limit);
    if (++count > limits.maxElements) throw tooMany(`more than ${limits.maxElements} elements`, position);
    if (((bytes[position] ?? 0) & 0x20) === 0) {
      position = next;
      continue;
    }
    ends.push(limit);
    if (ends.length > limits.maxDepth) throw tooMany(`nested deeper than ${limits.maxDepth}`, position);
    position = contentOffset(bytes, position);
    limit = next;
  }
  return count;
}

/** The end of the element at `start`, after checking its identifier and length octets against `limit`. */
function elementEnd(bytes: Uint8Array, start: number, limit: number): number {
  if (limit - start < 2) throw damage("element is cut short", start);
  checkTag(bytes[start] ?? 0, start);
  const first = bytes[start + 1] ?? 0;
  const contentStart = contentOffset(bytes, start);
  let length = first;
  if (first >= 0x80) {
    if (first === 0x80) throw damage("indefinite length is not DER", start);
    if (first > 0x84) throw damage("length of more than four octets", start);
    if (contentStart > limit) throw damage("element is cut short", start);
    length = 0;
    for (let i = start + 2; i < contentStart; i++) length = length * 256 + (bytes[i] ?? 0);
    if (length < 0x80 || bytes[start + 2] === 0) throw damage("length is not in its shortest form", start);
  }
  if (length > limit - contentStart) throw damage("element runs past the end of what holds it", start);
  return contentStart + length;
}

/** Where the content of the element at `start` begins; its header must have been checked. */
function contentOffset(bytes: Uint8Array, start: number): number {
  const first = bytes[start + 1] ?? 0;
  return first < 0x80 ? start + 2 : start + 2 + (first & 0x7f);
}

// Bit n stands for universal tag number n: EXTERNAL, EMBEDDED PDV, SEQUENCE, SET and CHARACTER STRING have
// children, everything else must not (X.690 10.2); 0 and 15 are no types.
const CONSTRUCTED = (1 << 8) | (1 << 11) | (1 << 16) | (1 << 17) | (1 << 29);
const RESERVED = (1 << 0) | (1 << 15);

function checkTag(tag: number, offset: number): void {
  const number = tag & 0x1f;
  if (number === 0x1f) throw damage("tag numbers above 30 are not supported", offset);
  if (tag >= 0x40) return;
  if (((RESERVED >>> number) & 1) === 1) throw damage(`tag ${hexTag(tag)} is not a type`, offset);
  if (((CONSTRUCTED >>> number) & 1) !== tag >> 5) {
    throw damage(`tag ${hexTag(tag)} has a form that is not DER`, offset);
  }
}

function unexpected(cursor: DerCursor, tag: number, what: string): X509Error {
  const found = cursor.peek();
  const message =
    found === undefined
      ? `${what} is missing`
      : `${what} should have tag ${hexTag(tag)} but has tag ${hexTag(found)}`;
  return damage(message, cursor.position);
}

function damage(message: string, offset: number): X509Error {
  return new X509Error("ERR_X509_DER", message, { offset });
}

function tooMany(message: string, offset: number): X509Error {
  return new X509Error("ERR_X509_LIMIT", message, { offset });
}

function hexTag(tag: number): string {
  return `0x${tag.toString(16).padStart(2, "0")}`;
}

/** The same memory as a Buffer, whose native text conversions take a range and so need no further views. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
