import { contextTag, type DerCursor, type DerElement, TAG } from "./der.ts";
import { readIa5 } from "./der-strings.ts";
import { X509Error } from "./error.ts";
import { formatIpAddress, prefixLength } from "./ip-address.ts";
import { type DistinguishedName, decodeName } from "./name.ts";
import type { Warn } from "./warning.ts";

/**
 * A GeneralName (RFC 5280 4.2.1.6). DNS names, URIs and mail addresses are printable ASCII as encoded (case
 * kept); IP addresses are canonical text; every other form (otherName, x400Address, ediPartyName, registeredID)
 * keeps its context tag number and octets.
 */
export type GeneralName =
  | { readonly type: "dns" | "uri" | "email" | "ip"; readonly value: string }
  | { readonly type: "directory"; readonly name: DistinguishedName }
  | { readonly type: "other"; readonly tag: number; readonly der: Uint8Array };

/** One permitted or excluded subtree (RFC 5280 4.2.1.10); the value of an `ip` base is `address/prefix`. */
export interface GeneralSubtree {
  readonly base: GeneralName;
}

/** Decodes the GeneralNames left in `cursor`. */
export function decodeGeneralNames(cursor: DerCursor, warn: Warn): readonly GeneralName[] {
  const names: GeneralName[] = [];
  while (!cursor.done) names.push(decodeGeneralName(cursor.read(), warn, ipAddress));
  return names;
}

/** Decodes GeneralSubtrees; `minimum` must be 0 and `maximum` absent (RFC 5280 4.2.1.10). */
export function decodeGeneralSubtrees(cursor: DerCursor, warn: Warn): readonly GeneralSubtree[] {
  const subtrees: GeneralSubtree[] = [];
  while (!cursor.done) {
    const fields = cursor.take(TAG.SEQUENCE, "general subtree").children();
    const base = decodeGeneralName(fields.read(), warn, ipRange);
    const minimum = fields.takeOptional(contextTag(0, "primitive"));
    if (minimum !== undefined) {
      if (minimum.hex !== "00") throw damage("minimum of a general subtree is not 0", minimum);
      warn("default_encoded", "minimum of a general subtree is written although it is the default");
    }
    fields.finish("general subtree (maximum is not allowed)");
    subtrees.push({ base });
  }
  return subtrees;
}

const OTHER_FORMS: ReadonlySet<number> = new Set([
  contextTag(0),
  contextTag(3),
  contextTag(5),
  contextTag(8, "primitive"),
]);

function decodeGeneralName(
  element: DerElement,
  warn: Warn,
  ip: (element: DerElement) => string,
): GeneralName {
  switch (element.tag) {
    case 0x81:
      return { type: "email", value: readIa5(element, "mail address") };
    case 0x82:
      return { type: "dns", value: readIa5(element, "DNS name") };
    case 0x86:
      return { type: "uri", value: readIa5(element, "URI") };
    case 0x87:
      return { type: "ip", value: ip(element) };
    case 0xa4: {
      const inner = element.children();
      const name = decodeName(inner.take(TAG.SEQUENCE, "directory name"), warn);
      inner.finish("directory name");
      return { type: "directory", name };
    }
    default:
      if (!OTHER_FORMS.has(element.tag)) throw damage("unknown form of general name", element);
      return { type: "other", tag: element.tag & 0x1f, der: element.raw };
  }
}

function ipAddress(element: DerElement): string {
  if (element.length !== 4 && element.length !== 16)
    throw damage("IP address is not 4 or 16 octets", element);
  return formatIpAddress(element.content);
}

function ipRange(element: DerElement): string {
  if (element.length !== 8 && element.length !== 32) throw damage("IP range is not 8 or 32 octets", element);
  const half = element.length / 2;
  const prefix = prefixLength(element.content.subarray(half));
  if (prefix === undefined) throw damage("mask of an IP range is not a prefix", element);
  return `${formatIpAddress(element.content.subarray(0, half))}/${prefix}`;
}

function damage(message: string, element: DerElement): X509Error {
  return new X509Error("ERR_X509_DER", message, { offset: element.start });
}
