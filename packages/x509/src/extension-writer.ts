import { Buffer } from "node:buffer";
import { TAG } from "./der.ts";
import {
  boolean,
  encode,
  explicit,
  ia5String,
  implicit,
  integer,
  namedBits,
  octetString,
  oid,
  sequence,
} from "./der-writer.ts";
import { X509Error } from "./error.ts";
import { EXTENSION, type Extension } from "./extension.ts";
import type { GeneralName } from "./general-name.ts";
import { maskOf, parseIpAddress } from "./ip-address.ts";
import { KEY_USAGES, type KeyUsage } from "./key-usage.ts";

/** The Extensions sequence; `[3] EXPLICIT` and the like are for the caller to add. */
export function encodeExtensions(extensions: readonly Extension[]): Uint8Array {
  return encode(
    TAG.SEQUENCE,
    extensions.map(({ oid: id, critical, value }) =>
      sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value)),
    ),
  );
}

export function basicConstraints(cA: boolean, pathLength: number | undefined): Extension {
  if (pathLength !== undefined && !cA) throw invalid("a path length needs isCa");
  const length = pathLength === undefined ? [] : [integer(pathLength)];
  const value = sequence(...(cA ? [boolean(true)] : []), ...length);
  return { oid: EXTENSION.basicConstraints, critical: true, value };
}

export function keyUsage(usages: readonly KeyUsage[]): Extension {
  const bits = usages.map((usage) => KEY_USAGES.indexOf(usage));
  if (bits.includes(-1)) throw invalid(`unknown key usage in ${usages.join(", ")}`);
  return { oid: EXTENSION.keyUsage, critical: true, value: namedBits(bits) };
}

export function extendedKeyUsage(purposes: readonly string[]): Extension {
  if (purposes.length === 0) throw invalid("extended key usage without purposes; null leaves it out");
  return { oid: EXTENSION.extendedKeyUsage, critical: false, value: sequence(...purposes.map(oid)) };
}

/** Critical when the subject is empty (RFC 5280 4.2.1.6). */
export function subjectAltNames(names: readonly GeneralName[], critical: boolean): Extension {
  const value = encode(
    TAG.SEQUENCE,
    names.map((name) => encodeGeneralName(name, ipOctets)),
  );
  return { oid: EXTENSION.subjectAltName, critical, value };
}

export function subjectKeyIdentifier(hex: string): Extension {
  const value = octetString(Buffer.from(hex, "hex"));
  return { oid: EXTENSION.subjectKeyIdentifier, critical: false, value };
}

export function authorityKeyIdentifier(hex: string): Extension {
  const value = sequence(implicit(0, octetString(Buffer.from(hex, "hex"))));
  return { oid: EXTENSION.authorityKeyIdentifier, critical: false, value };
}

/** Names by subtree; IP ranges are written `10.0.0.0/8` or `2001:db8::/32`. */
export function nameConstraints(
  permitted: readonly GeneralName[],
  excluded: readonly GeneralName[],
): Extension {
  if (permitted.length + excluded.length === 0) throw invalid("name constraints without any subtree");
  const subtrees = (number: number, names: readonly GeneralName[]) =>
    names.length === 0
      ? []
      : [explicit(number, ...names.map((name) => sequence(encodeGeneralName(name, ipRangeOctets))))];
  const value = sequence(...subtrees(0, permitted), ...subtrees(1, excluded));
  return { oid: EXTENSION.nameConstraints, critical: true, value };
}

export function crlDistributionPoints(uris: readonly string[]): Extension {
  const points = uris.map((uri) => sequence(explicit(0, explicit(0, implicit(6, ia5(uri, "URI"))))));
  return { oid: EXTENSION.crlDistributionPoints, critical: false, value: sequence(...points) };
}

function encodeGeneralName(name: GeneralName, ip: (text: string) => Uint8Array): Uint8Array {
  switch (name.type) {
    case "email":
      return implicit(1, ia5(name.value, "mail address"));
    case "dns":
      return implicit(2, ia5(name.value, "DNS name"));
    case "uri":
      return implicit(6, ia5(name.value, "URI"));
    case "ip":
      return implicit(7, octetString(ip(name.value)));
    case "directory":
      return explicit(4, name.name.der);
    case "other":
      return name.der;
  }
}

function ipOctets(text: string): Uint8Array {
  const octets = parseIpAddress(text);
  if (octets === undefined) throw invalid(`"${text.slice(0, 64)}" is not an IP address`);
  return octets;
}

function ipRangeOctets(text: string): Uint8Array {
  const [address = "", prefix = ""] = text.split("/");
  const octets = parseIpAddress(address);
  const length = /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  if (octets === undefined || length < 0 || length > octets.length * 8) {
    throw invalid(`"${text.slice(0, 64)}" is not an IP range like 10.0.0.0/8`);
  }
  return Buffer.concat([octets, maskOf(length, octets.length)]);
}

/** Names in certificates are ASCII: internationalised domain names go in as their A-labels (RFC 5280 7.2). */
function ia5(text: string, what: string): Uint8Array {
  if (text === "" || !/^[\x21-\x7e]+$/.test(text)) {
    throw invalid(`${what} ${JSON.stringify(text.slice(0, 64))} is empty or not ASCII without blanks`);
  }
  return ia5String(text);
}

function invalid(message: string): X509Error {
  return new X509Error("ERR_X509_ISSUE", message);
}
