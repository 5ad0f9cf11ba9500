import { Buffer } from "node:buffer";
import { type DerElement, TAG } from "./der.ts";
import { X509Error } from "./error.ts";

/** Text of any of the ASN.1 string types a DirectoryString or its relatives use; T61String is read as Latin-1. */
export function readString(element: DerElement): string {
  const { bytes, contentStart, end, tag } = element;
  switch (tag) {
    case TAG.UTF8_STRING:
      return utf8(element);
    case TAG.PRINTABLE_STRING:
    case TAG.IA5_STRING:
    case TAG.NUMERIC_STRING:
    case TAG.VISIBLE_STRING:
    case TAG.TELETEX_STRING:
      return bytes.toString("latin1", contentStart, end);
    case TAG.BMP_STRING:
      return utf16(element);
    case TAG.UNIVERSAL_STRING:
      return utf32(element);
    default:
      throw damage("not a string", element);
  }
}

/** Whether `readString` knows the type of this element. */
export function isString(tag: number): boolean {
  return STRING_TAGS.has(tag);
}

const STRING_TAGS: ReadonlySet<number> = new Set([
  TAG.UTF8_STRING,
  TAG.PRINTABLE_STRING,
  TAG.IA5_STRING,
  TAG.NUMERIC_STRING,
  TAG.VISIBLE_STRING,
  TAG.TELETEX_STRING,
  TAG.BMP_STRING,
  TAG.UNIVERSAL_STRING,
]);

/** Whether the text fits a PrintableString (X.680 41.4). */
export function isPrintable(text: string): boolean {
  return /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text);
}

/** IA5String content (implicit tags included): octets above 0x7f and control characters are refused. */
export function readIa5(element: DerElement, what: string): string {
  const { bytes, contentStart, end } = element;
  for (let i = contentStart; i < end; i++) {
    const octet = bytes[i] ?? 0;
    if (octet < 0x20 || octet > 0x7e) {
      throw damage(`${what} has characters outside of printable ASCII`, element);
    }
  }
  return bytes.toString("latin1", contentStart, end);
}

function utf8(element: DerElement): string {
  const text = element.bytes.toString("utf8", element.contentStart, element.end);
  // Only text with a replacement character can have come from damaged octets.
  if (text.includes("\ufffd") && !Buffer.from(text, "utf8").equals(element.content)) {
    throw damage("string is not UTF-8", element);
  }
  return text;
}

function utf16(element: DerElement): string {
  if (element.length % 2 !== 0) throw damage("BMPString of an odd length", element);
  return Buffer.from(element.content).swap16().toString("utf16le");
}

function utf32(element: DerElement): string {
  if (element.length % 4 !== 0) throw damage("UniversalString length is no multiple of four", element);
  let text = "";
  for (let i = element.contentStart; i < element.end; i += 4) {
    const point = element.bytes.readUInt32BE(i);
    if (point > 0x10ffff) throw damage("UniversalString has a value that is no character", element);
    text += String.fromCodePoint(point);
  }
  return text;
}

function damage(message: string, element: DerElement): X509Error {
  return new X509Error("ERR_X509_DER", message, { offset: element.start });
}
