import { Buffer } from "node:buffer";
import { type DerElement, TAG } from "./der.ts";
import { isPrintable, isString, readString } from "./der-strings.ts";
import { readOid } from "./der-values.ts";
import { X509Error } from "./error.ts";
import type { Warn } from "./warning.ts";

/** One attribute of a name. A value that is no text has form "der": its value is `#` and the hex of its DER. */
export interface NameAttribute {
  readonly oid: string;
  readonly value: string;
  readonly form: "text" | "der";
  /** Index of the relative distinguished name it belongs to; attributes of one RDN share it. */
  readonly rdn: number;
}

/** A distinguished name with its own octets, attributes in the order of the encoding (root first). */
export interface DistinguishedName {
  readonly der: Uint8Array;
  readonly attributes: readonly NameAttribute[];
  /** The most specific common name: the last one. */
  readonly commonName: string | undefined;
}

/** Object identifiers of the attribute types that have a short name. */
export const ATTRIBUTE = {
  CN: "2.5.4.3",
  SN: "2.5.4.4",
  serialNumber: "2.5.4.5",
  C: "2.5.4.6",
  L: "2.5.4.7",
  ST: "2.5.4.8",
  STREET: "2.5.4.9",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  title: "2.5.4.12",
  GN: "2.5.4.42",
  UID: "0.9.2342.19200300.100.1.1",
  DC: "0.9.2342.19200300.100.1.25",
  emailAddress: "1.2.840.113549.1.9.1",
} as const;

/** The name as RFC 4514 writes it, most specific part first: `CN=backend,O=Shop`. */
export function formatName(name: DistinguishedName): string {
  const groups: string[][] = [];
  for (const { oid, value, form, rdn } of name.attributes) {
    const group = groups[rdn] ?? [];
    groups[rdn] = group;
    group.push(`${shortName(oid)}=${form === "der" ? value : escapeValue(value)}`);
  }
  return groups
    .map((group) => group.join("+"))
    .reverse()
    .join(",");
}

/**
 * Whether two names are the same (RFC 5280 7.1): equal octets, or equal attributes when case, repeated blanks
 * and the choice of string type are ignored.
 */
export function namesEqual(a: DistinguishedName, b: DistinguishedName): boolean {
  return Buffer.compare(a.der, b.der) === 0 || nameKey(a) === nameKey(b);
}

/** A string that two names share exactly when `namesEqual` holds: the key for an index by name. */
export function nameKey(name: DistinguishedName): string {
  const groups: string[][] = [];
  for (const attribute of name.attributes) {
    const group = groups[attribute.rdn] ?? [];
    groups[attribute.rdn] = group;
    group.push(attributeKey(attribute));
  }
  return JSON.stringify(groups.map((group) => group.sort()));
}

/** One attribute in the form in which RFC 5280 7.1 compares it. */
export function attributeKey({ oid, value, form }: NameAttribute): string {
  if (form === "der") return `${oid}:${value}`;
  return `${oid}=${value.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim()}`;
}

/** Decodes a Name element; quirks go to `warn`. */
export function decodeName(element: DerElement, warn: Warn): DistinguishedName {
  const attributes: NameAttribute[] = [];
  let commonName: string | undefined;
  const rdns = element.children();
  for (let rdn = 0; !rdns.done; rdn++) {
    const pairs = rdns.take(TAG.SET, "relative distinguished name").children();
    if (pairs.done) {
      throw new X509Error("ERR_X509_DER", "relative distinguished name is empty", { offset: pairs.end });
    }
    while (!pairs.done) {
      const attribute = decodeAttribute(pairs.take(TAG.SEQUENCE, "name attribute"), rdn, warn);
      attributes.push(attribute);
      if (attribute.oid === ATTRIBUTE.CN && attribute.form === "text") commonName = attribute.value;
    }
  }
  return { der: element.raw, attributes, commonName };
}

function decodeAttribute(element: DerElement, rdn: number, warn: Warn): NameAttribute {
  const fields = element.children();
  const oid = readOid(fields.take(TAG.OID, "attribute type"));
  const value = fields.read();
  fields.finish("name attribute");
  if (!isString(value.tag)) {
    return { oid, value: `#${value.bytes.toString("hex", value.start, value.end)}`, form: "der", rdn };
  }
  const text = readString(value);
  warnOfString(value, text, warn);
  if (oid === ATTRIBUTE.C && !/^[A-Z]{2}$/.test(text)) {
    warn("country_code", `country "${printable(text)}" is not two capital letters`);
  }
  return { oid, value: text, form: "text", rdn };
}

function warnOfString({ tag }: DerElement, text: string, warn: Warn): void {
  const legacy = LEGACY_STRINGS[tag];
  if (legacy !== undefined) warn("legacy_string", `a name uses ${legacy}`);
  else if (tag === TAG.PRINTABLE_STRING && !isPrintable(text)) {
    warn("printable_string", "a PrintableString has characters outside of its set");
  }
}

const LEGACY_STRINGS: Readonly<Record<number, string>> = {
  [TAG.TELETEX_STRING]: "T61String",
  [TAG.BMP_STRING]: "BMPString",
  [TAG.UNIVERSAL_STRING]: "UniversalString",
};

function shortName(oid: string): string {
  return Object.entries(ATTRIBUTE).find(([, value]) => value === oid)?.[0] ?? oid;
}

/** RFC 4514 2.4; control characters are escaped as well, so that a name can stand in a log line. */
function escapeValue(value: string): string {
  return (
    value
      .replace(/[\\"+,;<>]/g, "\\$&")
      .replace(/^[ #]/, "\\$&")
      .replace(/ $/, "\\ ")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
      .replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) =>
        [...Buffer.from(character, "utf8")]
          .map((octet) => `\\${octet.toString(16).padStart(2, "0")}`)
          .join(""),
      )
  );
}

function printable(text: string): string {
  return text.slice(0, 16).replace(/[^\x20-\x7e]/g, "?");
}
