import type { Revocation } from "../crl.ts";
import { DerCursor, type DerElement, TAG } from "../der.ts";
import { readTime } from "../der-time.ts";
import { checkInteger, readSmallInteger } from "../der-values.ts";
import { X509Error } from "../error.ts";
import { decodeExtensions, EXTENSION, type RawExtension } from "../extension.ts";
import type { Warn } from "../warning.ts";
import { REVOCATION_REASONS } from "./revocation-reason.ts";

/** What one pass over the entries finds. */
export interface CrlEntries {
  /** Where each entry begins, in the order of the list. */
  readonly offsets: Uint32Array;
  readonly unknownCritical: readonly string[];
}

/** Checks every entry of revokedCertificates (RFC 5280 5.1.2.6) and notes where it is. */
export function readCrlEntries(list: DerElement | undefined, version: number, warn: Warn): CrlEntries {
  if (list === undefined) return { offsets: new Uint32Array(0), unknownCritical: [] };
  if (list.length === 0) warn("empty_extension", "revoked certificates are written although there are none");
  const offsets: number[] = [];
  const unknownCritical = new Set<string>();
  for (const entries = list.children(); !entries.done; ) {
    offsets.push(entries.position);
    const fields = entries.take(TAG.SEQUENCE, "revocation entry").children();
    const extensions = readEntry(fields, warn).extensions;
    if (extensions.length > 0 && version !== 2) {
      warn("extensions_before_version", `a version ${version} revocation list has entry extensions`);
    }
    for (const { extension } of extensions) {
      if (extension.critical && !PROCESSED.has(extension.oid)) unknownCritical.add(extension.oid);
    }
  }
  return { offsets: Uint32Array.from(offsets), unknownCritical: [...unknownCritical] };
}

/** The entry at `offset` of a list whose entries were checked. */
export function revocationAt(bytes: Uint8Array, offset: number): Revocation {
  const entry = new DerCursor(bytes, offset).take(TAG.SEQUENCE, "revocation entry");
  const { date, reason } = readEntry(entry.children(), () => {});
  return { date, reason };
}

/** The octets of the serial number in a checked entry, without the zero that keeps it positive. */
export function serialRange(bytes: Uint8Array, offset: number): [start: number, length: number] {
  const first = bytes[offset + 1] ?? 0;
  const serial = offset + 2 + (first < 0x80 ? 0 : first & 0x7f);
  const length = bytes[serial + 1] ?? 0;
  const zero = length > 1 && bytes[serial + 2] === 0 ? 1 : 0;
  return [serial + 2 + zero, length - zero];
}

const PROCESSED: ReadonlySet<string> = new Set([EXTENSION.reasonCode, EXTENSION.invalidityDate]);
// `serialRange` counts on a length of one octet.
const MAX_SERIAL_OCTETS = 127;

function readEntry(fields: DerCursor, warn: Warn): Revocation & { extensions: readonly RawExtension[] } {
  const serial = fields.take(TAG.INTEGER, "serial number");
  checkInteger(serial);
  if (serial.length > MAX_SERIAL_OCTETS) {
    throw new X509Error("ERR_X509_CRL", `serial number of ${serial.length} octets`, { offset: serial.start });
  }
  const date = readTime(fields, "revocation date", warn);
  const list = fields.takeOptional(TAG.SEQUENCE);
  fields.finish("revocation entry");
  const extensions = list === undefined ? [] : decodeExtensions(list.children(), "ERR_X509_CRL", warn);
  const coded = extensions.find(({ extension }) => extension.oid === EXTENSION.reasonCode);
  return { date, reason: coded && decodeReason(coded.element), extensions };
}

function decodeReason(value: DerElement): Revocation["reason"] {
  const cursor = value.children();
  const element = cursor.take(TAG.ENUMERATED, "revocation reason");
  cursor.finish("revocation reason");
  const reason = REVOCATION_REASONS[readSmallInteger(element, 10, "revocation reason")];
  if (reason === undefined) {
    throw new X509Error("ERR_X509_CRL", "revocation reason 7 is not in use", { offset: element.start });
  }
  return reason;
}
