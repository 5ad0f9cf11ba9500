import { Buffer } from "node:buffer";
import { contextTag, TAG } from "./der.ts";
import { isPrintable } from "./der-strings.ts";
import { MAX_OID_OCTETS } from "./der-values.ts";
import { X509Error } from "./error.ts";

/** One element: identifier octet, shortest length, then the parts one after the other. */
export function encode(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const header = encodeHeader(tag, length);
  const out = new Uint8Array(header.length + length);
  out.set(header, 0);
  let position = header.length;
  for (const part of parts) {
    out.set(part, position);
    position += part.length;
  }
  return out;
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(TAG.SEQUENCE, parts);
}

/** SET OF: the elements are put in DER order (X.690 11.6). */
export function set(...parts: readonly Uint8Array[]): Uint8Array {
  return encode(
    TAG.SET,
    [...parts].sort((a, b) => Buffer.compare(a, b)),
  );
}

/** `[n] EXPLICIT`. */
export function explicit(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return encode(contextTag(number), parts);
}

/** `[n] IMPLICIT`: the element with its identifier octet replaced; constructed stays constructed. */
export function implicit(number: number, element: Uint8Array): Uint8Array {
  const out = new Uint8Array(element);
  out[0] = 0x80 | ((element[0] ?? 0) & 0x20) | number;
  return out;
}

export function boolean(value: boolean): Uint8Array {
  return encode(TAG.BOOLEAN, [Uint8Array.of(value ? 0xff : 0)]);
}

export function nullValue(): Uint8Array {
  return encode(TAG.NULL, []);
}

/** Non-negative INTEGER, from a number or from big-endian octets of any length. */
export function integer(value: number | bigint | Uint8Array): Uint8Array {
  const octets = typeof value === "object" ? value : octetsOf(BigInt(value));
  let start = 0;
  while (start < octets.length - 1 && octets[start] === 0) start++;
  const shortest = octets.length === 0 ? Uint8Array.of(0) : octets.subarray(start);
  const sign = (shortest[0] ?? 0) >= 0x80 ? [Uint8Array.of(0)] : [];
  return encode(TAG.INTEGER, [...sign, shortest]);
}

/** ENUMERATED between 0 and 127. */
export function enumerated(value: number): Uint8Array {
  return encode(TAG.ENUMERATED, [Uint8Array.of(value)]);
}

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Uint8Array {
  if (!/^[0-2](\.(0|[1-9]\d{0,38})){1,64}$/.test(dotted)) {
    throw new X509Error("ERR_X509_ISSUE", `"${dotted.slice(0, 80)}" is not an object identifier`);
  }
  const [first = 0n, second = 0n, ...rest] = dotted.split(".").map(BigInt);
  if (first < 2n && second > 39n) {
    throw new X509Error("ERR_X509_ISSUE", `"${dotted}" is not an object identifier`);
  }
  const octets = [first * 40n + second, ...rest].flatMap(arcOctets);
  if (octets.length > MAX_OID_OCTETS) {
    throw new X509Error("ERR_X509_ISSUE", `object identifier of ${octets.length} octets`);
  }
  return encode(TAG.OID, [Uint8Array.from(octets)]);
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return encode(TAG.OCTET_STRING, [bytes]);
}

/** BIT STRING of whole octets unless `unusedBits` says otherwise; the unused bits must be zero. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return encode(TAG.BIT_STRING, [Uint8Array.of(unusedBits), bytes]);
}

/** BIT STRING of named bits: bit 0 first, trailing zero bits left out (X.690 11.2.2). */
export function namedBits(bits: readonly number[]): Uint8Array {
  const highest = Math.max(-1, ...bits);
  const octets = new Uint8Array(Math.ceil((highest + 1) / 8));
  for (const bit of bits) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return bitString(octets, (8 - ((highest + 1) % 8)) % 8);
}

export function utf8String(text: string): Uint8Array {
  return encode(TAG.UTF8_STRING, [Buffer.from(text, "utf8")]);
}

/** PrintableString: letters, digits and `'()+,-./:=?` only. */
export function printableString(text: string): Uint8Array {
  if (!isPrintable(text)) throw notA("PrintableString", text);
  return encode(TAG.PRINTABLE_STRING, [Buffer.from(text, "latin1")]);
}

/** IA5String: printable ASCII; control characters, which the format would allow, are refused. */
export function ia5String(text: string): Uint8Array {
  if (!/^[\x20-\x7e]*$/.test(text)) throw notA("IA5String", text);
  return encode(TAG.IA5_STRING, [Buffer.from(text, "latin1")]);
}

/** UTCTime for 1950 to 2049, else GeneralizedTime (RFC 5280 4.1.2.5); milliseconds are cut off. */
export function time(date: Date): Uint8Array {
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050 ? utcTime(date) : generalizedTime(date);
}

export function utcTime(date: Date): Uint8Array {
  return encode(TAG.UTC_TIME, [Buffer.from(timeText(date).slice(2), "latin1")]);
}

export function generalizedTime(date: Date): Uint8Array {
  return encode(TAG.GENERALIZED_TIME, [Buffer.from(timeText(date), "latin1")]);
}

function timeText(date: Date): string {
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999))
    throw new X509Error("ERR_X509_ISSUE", "time outside of the years 0 to 9999");
  return `${date.toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
}

function encodeHeader(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length);
  const octets = octetsOf(BigInt(length));
  return Uint8Array.of(tag, 0x80 | octets.length, ...octets);
}

function octetsOf(value: bigint): Uint8Array {
  if (value < 0n) throw new X509Error("ERR_X509_ISSUE", "negative integers are not written");
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

function arcOctets(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)];
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80);
  return octets;
}

function notA(type: string, text: string): X509Error {
  return new X509Error("ERR_X509_ISSUE", `${JSON.stringify(text.slice(0, 80))} does not fit a ${type}`);
}
