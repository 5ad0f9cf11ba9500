import { Buffer } from "node:buffer";
import { isPrintable } from "./der-strings.ts";
import { ia5String, oid, printableString, sequence, set, utf8String } from "./der-writer.ts";
import { X509Error } from "./error.ts";
import { ATTRIBUTE } from "./name.ts";

/**
 * The DER of a name in RFC 4514 form, most specific part first: `CN=backend,O=Shop`. Types are the short names
 * of `ATTRIBUTE` in any case, or dotted identifiers; blanks around separators are ignored; "" is the empty name.
 */
export function encodeName(text: string): Uint8Array {
  if (text.trim() === "") return sequence();
  const rdns = splitUnescaped(text, /[,;]/).map((rdn) =>
    set(...splitUnescaped(rdn, /\+/).map((pair) => encodeAttribute(pair))),
  );
  return sequence(...rdns.reverse());
}

function encodeAttribute(pair: string): Uint8Array {
  const equals = pair.indexOf("=");
  if (equals < 1) throw invalid(`name part "${pair.trim().slice(0, 64)}" is not of the form TYPE=value`);
  const type = attributeOid(pair.slice(0, equals).trim());
  const raw = trimUnescaped(pair.slice(equals + 1));
  if (raw === "") throw invalid(`name part "${pair.trim().slice(0, 64)}" has no value`);
  if (raw.startsWith("#")) return sequence(oid(type), hexValue(raw));
  return sequence(oid(type), encodeText(type, unescapeValue(raw)));
}

/** UTF8String, except where RFC 5280 appendix A fixes the type: IA5String for mail and domain components. */
function encodeText(type: string, value: string): Uint8Array {
  if (type === ATTRIBUTE.DC || type === ATTRIBUTE.emailAddress) return ia5String(value);
  if (type === ATTRIBUTE.C || type === ATTRIBUTE.serialNumber) return printableString(value);
  if (type === "2.5.4.46" && isPrintable(value)) return printableString(value);
  return utf8String(value);
}

function attributeOid(type: string): string {
  if (/^(oid\.)?\d+(\.\d+)+$/i.test(type)) return type.replace(/^oid\./i, "");
  for (const [name, value] of Object.entries(ATTRIBUTE)) {
    if (name.toLowerCase() === type.toLowerCase()) return value;
  }
  throw invalid(`"${type.slice(0, 64)}" is no known attribute type; write its object identifier`);
}

function hexValue(raw: string): Uint8Array {
  if (!/^#([0-9a-f]{2})+$/i.test(raw)) throw invalid(`"${raw.slice(0, 64)}" is not hex`);
  return Buffer.from(raw.slice(1), "hex");
}

/** RFC 4514 3: a backslash before a special character or two hex digits, which are octets of UTF-8. */
function unescapeValue(raw: string): string {
  const octets: Buffer[] = [];
  for (const [, hex, special, plain] of raw.matchAll(/\\([0-9a-fA-F]{2})|\\([ "#+,;<=>\\])|([^\\]+|\\)/g)) {
    if (plain === "\\") throw invalid(`"${raw.slice(0, 64)}" has a backslash that escapes nothing`);
    octets.push(hex === undefined ? Buffer.from(special ?? plain ?? "", "utf8") : Buffer.from(hex, "hex"));
  }
  return Buffer.concat(octets).toString("utf8");
}

/** Spaces around a value do not count, but an escaped one at its end does; other blanks are part of it. */
function trimUnescaped(raw: string): string {
  const trimmed = raw.replace(/^ +| +$/g, "");
  const lostEscaped = /(^|[^\\])(\\\\)*\\$/.test(trimmed) && raw.endsWith(" ");
  return lostEscaped ? `${trimmed} ` : trimmed;
}

function splitUnescaped(text: string, separator: RegExp): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (separator.test(text[i] ?? "")) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)];
}

function invalid(message: string): X509Error {
  return new X509Error("ERR_X509_ISSUE", message);
}
