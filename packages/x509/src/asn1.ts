/**
 * Strict, bounded DER: what the parsers and the issuer of this package are made of, for formats next to X.509.
 *
 * ```ts
 * import { checkDer, readDer, readOid, sequence, TAG, oid } from "@newleaf/x509/asn1";
 *
 * const der = sequence(oid("2.5.29.15"));
 * checkDer(der, { maxBytes: 1024, maxDepth: 8, maxElements: 100 });
 * const fields = readDer(der, TAG.SEQUENCE, "extension").children();
 * console.log(readOid(fields.take(TAG.OID, "identifier")));
 * fields.finish("extension");
 * ```
 *
 * @module
 */
export { checkDer, contextTag, DerCursor, DerElement, type DerLimits, readDer, TAG } from "./der.ts";
export { readIa5, readString } from "./der-strings.ts";
export { readTime, timeOf } from "./der-time.ts";
export {
  readBitString,
  readBitStringOctets,
  readBoolean,
  readIntegerHex,
  readOid,
  readSmallInteger,
} from "./der-values.ts";
export {
  bitString,
  boolean,
  encode,
  enumerated,
  explicit,
  generalizedTime,
  ia5String,
  implicit,
  integer,
  namedBits,
  nullValue,
  octetString,
  oid,
  printableString,
  sequence,
  set,
  time,
  utcTime,
  utf8String,
} from "./der-writer.ts";
