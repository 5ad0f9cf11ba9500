import { KubeError } from "../error.ts";

/** https://protobuf.dev/programming-guides/encoding: those that the API uses, which has no groups. */
export const WireType = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const;

/**
 * A place in protobuf. Every read is told where its message ends, and throws ERR_KUBE_PROTOCOL rather than go beyond;
 * every read but that of nothing moves on, so that no input is read for ever.
 */
export class ProtoReader {
  readonly bytes: Buffer;
  at = 0;
  #seconds: number | undefined;
  #time = "";

  constructor(bytes: Uint8Array) {
    this.bytes = bufferOf(bytes);
  }

  /** The field's number, shifted left by three, with its wire type in the lowest bits. */
  tag(end: number): number {
    const tag = this.int(end);
    if (tag < 8 || tag > 0xffff_ffff) throw malformed();
    return tag;
  }

  /** A varint as a signed number of 64 bits; beyond 2^53 the nearest that there is, as JSON has it. */
  int(end: number): number {
    const { bytes } = this;
    if (this.at < end && (bytes[this.at] as number) < 0x80) {
      this.at += 1;
      return bytes[this.at - 1] as number;
    }
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i += 1) {
      if (this.at >= end) throw malformed();
      const byte = bytes[this.at] as number;
      this.at += 1;
      if (i < 4) low |= (byte & 0x7f) << (7 * i);
      else high += (byte & 0x7f) * 2 ** (7 * (i - 4));
      if (byte < 0x80) {
        // What is left of the 64 bits; the tenth octet has one of them.
        const signed = high >= 2 ** 35 ? (high % 2 ** 36) - 2 ** 36 : high;
        return signed * 2 ** 28 + low;
      }
    }
    throw malformed();
  }

  /** Where what is delimited by a length ends; it begins where the reader is then. */
  delimited(end: number): number {
    const length = this.int(end);
    if (length < 0 || length > end - this.at) throw malformed();
    return this.at + length;
  }

  /** UTF-8 up to there; what is none becomes U+FFFD, as in JSON. */
  string(to: number): string {
    const text = this.bytes.toString("utf8", this.at, to);
    this.at = to;
    return text;
  }

  /** RFC 3339 to the second. The last one is kept: most times of an object, and of its neighbours, are the same. */
  time(seconds: number): string {
    if (seconds !== this.#seconds) {
      this.#seconds = seconds;
      this.#time = new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
    }
    return this.#time;
  }

  /** The octets up to there: a view. */
  take(to: number): Buffer {
    const octets = this.bytes.subarray(this.at, to);
    this.at = to;
    return octets;
  }

  skip(wireType: number, end: number): void {
    if (wireType === WireType.length) this.at = this.delimited(end);
    else if (wireType === WireType.varint) this.int(end);
    else if (wireType === WireType.fixed64) this.#advance(8, end);
    else if (wireType === WireType.fixed32) this.#advance(4, end);
    else throw malformed();
  }

  #advance(octets: number, end: number): void {
    if (octets > end - this.at) throw malformed();
    this.at += octets;
  }
}

/** The same memory. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function malformed(): KubeError {
  return new KubeError("ERR_KUBE_PROTOCOL", "an answer with malformed protobuf");
}
