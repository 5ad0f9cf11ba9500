import type { DerElement } from "./der.ts";
import { X509Error } from "./error.ts";
import type { Warn } from "./warning.ts";

/**
 * BOOLEAN. DER knows 0x00 and 0xff only (X.690 11.1); any other TRUE is a warning, or refused when there is
 * nobody to warn.
 */
export function readBoolean(element: DerElement, warn?: Warn): boolean {
  const octet = element.bytes[element.contentStart] ?? 0;
  if (element.length !== 1) throw damage("boolean is not one octet", element);
  if (octet !== 0 && octet !== 0xff) {
    if (warn === undefined) throw damage("boolean is neither 0x00 nor 0xff", element);
    warn("boolean_encoding", "TRUE is not written as 0xff");
  }
  return octet !== 0;
}

/** INTEGER as the hex of its two's complement octets, which must be the shortest form (X.690 8.3.2). */
export function readIntegerHex(element: DerElement): string {
  checkInteger(element);
  return element.hex;
}

/** INTEGER or ENUMERATED between 0 and `max`. */
export function readSmallInteger(element: DerElement, max: number, what: string): number {
  checkInteger(element);
  const { bytes, contentStart, end } = element;
  const negative = ((bytes[contentStart] ?? 0) & 0x80) !== 0;
  let value = 0;
  for (let i = contentStart; i < end && value <= max; i++) value = value * 256 + (bytes[i] ?? 0);
  if (negative || value > max) throw damage(`${what} is not between 0 and ${max}`, element);
  return value;
}

/** Refuses an INTEGER without octets or with more than it needs (X.690 8.3.2). */
export function checkInteger(element: DerElement): void {
  const { bytes, contentStart, length } = element;
  if (length === 0) throw damage("integer without octets", element);
  if (length === 1) return;
  const first = bytes[contentStart] ?? 0;
  const sign = (bytes[contentStart + 1] ?? 0) >> 7;
  if ((first === 0x00 && sign === 0) || (first === 0xff && sign === 1)) {
    throw damage("integer is not in its shortest form", element);
  }
}

/** No identifier in use comes near; longer ones are refused. */
export const MAX_OID_OCTETS = 64;

/** OBJECT IDENTIFIER in dotted form; at most 64 octets. */
export function readOid(element: DerElement): string {
  const { bytes, contentStart, end, length } = element;
  if (length > MAX_OID_OCTETS) throw new X509Error("ERR_X509_LIMIT", `object identifier of ${length} octets`);
  // Nearly all are of three octets, and a number is a cheaper key than a string.
  const key = length === 3 ? bytes.readUIntBE(contentStart, 3) : bytes.toString("latin1", contentStart, end);
  const known = knownOids.get(key);
  if (known !== undefined) return known;
  const text = decodeOid(element);
  if (knownOids.size < MAX_KNOWN_OIDS) knownOids.set(key, text);
  return text;
}

// The same few dozen identifiers make up nearly every certificate, and spelling one out costs more than reading
// all else of an extension. Bounded, and a pure function of the octets.
const knownOids = new Map<string | number, string>();
const MAX_KNOWN_OIDS = 512;

function decodeOid(element: DerElement): string {
  const { bytes, contentStart, end } = element;
  if (element.length === 0) throw damage("object identifier without octets", element);
  if (((bytes[end - 1] ?? 0) & 0x80) !== 0) throw damage("object identifier is cut short", element);
  let text = "";
  for (let position = contentStart; position < end; ) {
    if (bytes[position] === 0x80) throw damage("object identifier is not in its shortest form", element);
    const start = position;
    let arc = 0;
    while (((bytes[position] ?? 0) & 0x80) !== 0) arc = arc * 128 + ((bytes[position++] ?? 0) & 0x7f);
    arc = arc * 128 + (bytes[position++] ?? 0);
    // Seven octets hold 49 bits; longer arcs (UUIDs under 2.25) leave the exact range of a number.
    const exact = position - start <= 7 ? arc : bigArc(bytes, start, position);
    text = text === "" ? firstArcs(exact) : `${text}.${exact}`;
  }
  return text;
}

function firstArcs(value: number | bigint): string {
  if (typeof value === "bigint") return `2.${value - 80n}`;
  const first = value < 40 ? 0 : value < 80 ? 1 : 2;
  return `${first}.${value - first * 40}`;
}

function bigArc(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let i = start; i < end; i++) value = value * 128n + BigInt((bytes[i] ?? 0) & 0x7f);
  return value;
}

/** BIT STRING. Padding bits must be zero (X.690 11.2.1). */
export function readBitString(element: DerElement): { unusedBits: number; bytes: Uint8Array } {
  const unusedBits = element.bytes[element.contentStart] ?? 8;
  if (element.length === 0 || unusedBits > 7 || (unusedBits > 0 && element.length === 1)) {
    throw damage("bit string has a wrong number of unused bits", element);
  }
  const last = element.bytes[element.end - 1] ?? 0;
  if (unusedBits > 0 && (last & ((1 << unusedBits) - 1)) !== 0) {
    throw damage("bit string has padding bits that are not zero", element);
  }
  return { unusedBits, bytes: element.content.subarray(1) };
}

/** BIT STRING that holds whole octets, as signatures and keys do. */
export function readBitStringOctets(element: DerElement): Uint8Array {
  const { unusedBits, bytes } = readBitString(element);
  if (unusedBits !== 0) throw damage("bit string does not hold whole octets", element);
  return bytes;
}

function damage(message: string, element: DerElement): X509Error {
  return new X509Error("ERR_X509_DER", message, { offset: element.start });
}
