import { parseIpAddress } from "../ip-address.ts";
import { attributeKey, type DistinguishedName } from "../name.ts";

// Name constraint matching per name form, RFC 5280 4.2.1.10. A base or name must have passed the is…-check of
// its form; what has not cannot be compared and is refused by the caller.

const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const HOST = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`, "i");
const MAX_DNS_NAME = 253;

/** A host name of letters, digits, hyphens and underscores, without the final dot of the root. */
function isHost(text: string): boolean {
  return text.length <= MAX_DNS_NAME && HOST.test(text);
}

/** A host name whose first label may be `*`. */
export function isDnsName(text: string): boolean {
  return isHost(text.startsWith("*.") ? text.slice(2) : text);
}

/** A host, a domain written with a leading dot, or nothing, which stands for every host. */
export function isHostBase(text: string): boolean {
  return text === "" || isHost(text.startsWith(".") ? text.slice(1) : text);
}

/** The base itself or labels added on its left; a leading dot, outside of the RFC but common, demands one. */
export function dnsWithin(name: string, base: string): boolean {
  const [inner, outer] = [name.toLowerCase(), base.toLowerCase()];
  if (outer === "" || inner === outer) return true;
  return inner.endsWith(outer.startsWith(".") ? outer : `.${outer}`);
}

/** For excluded bases: `*.a` also stands for `b.a`, so it lies partly inside of the excluded `b.a`. */
export function dnsOverlaps(name: string, base: string): boolean {
  if (dnsWithin(name, base)) return true;
  const dot = base.indexOf(".");
  return (
    name.startsWith("*.") && dot > 0 && name.slice(2).toLowerCase() === base.slice(dot + 1).toLowerCase()
  );
}

/**
 * The host of a URI; undefined when there is none or it is an IP address, which RFC 5280 wants refused wherever
 * URIs are constrained. User information is taken for no host either: it only ever served to deceive.
 */
export function uriHost(uri: string): string | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#\\]*)/i.exec(uri)?.[1];
  if (authority === undefined) return undefined;
  const host = authority.replace(/:\d*$/, "");
  // A last label of digits makes an IPv4 address, in one of its many spellings.
  return isHost(host) && !/(?:^|\.)(?:\d+|0x[\da-f]*)$/i.test(host) ? host : undefined;
}

/** Exactly the base, or with a leading dot anything below it. */
export function hostWithin(host: string, base: string): boolean {
  const [inner, outer] = [host.toLowerCase(), base.toLowerCase()];
  return outer === "" || (outer.startsWith(".") ? inner.endsWith(outer) : inner === outer);
}

/** An address without quoting: quoted local parts have several spellings, so comparing them proves nothing. */
export function isEmail(text: string): boolean {
  const at = text.lastIndexOf("@");
  return /^[^\s"(),:;<>@[\\\]]+$/.test(text.slice(0, Math.max(0, at))) && isHost(text.slice(at + 1));
}

/** One mailbox, or the hosts of `isHostBase`. */
export function isEmailBase(text: string): boolean {
  return text.includes("@") ? isEmail(text) : isHostBase(text);
}

/** A base with `@` is one mailbox (local part case-sensitive), without it the hosts as in `hostWithin`. */
export function emailWithin(address: string, base: string): boolean {
  const at = address.lastIndexOf("@");
  const host = address.slice(at + 1);
  const baseAt = base.lastIndexOf("@");
  if (baseAt === -1) return hostWithin(host, base);
  return address.slice(0, at) === base.slice(0, baseAt) && hostWithin(host, base.slice(baseAt + 1));
}

/** `base` is `address/prefix`. The two families never match each other, IPv4-mapped addresses included. */
export function ipWithin(address: string, base: string): boolean {
  const slash = base.lastIndexOf("/");
  const octets = parseIpAddress(address);
  const network = parseIpAddress(base.slice(0, slash));
  if (octets === undefined || network === undefined || octets.length !== network.length) return false;
  const prefix = Number(base.slice(slash + 1));
  return octets.every((octet, i) => {
    const mask = 0xff & ~(0xff >> Math.min(8, Math.max(0, prefix - i * 8)));
    return ((octet ^ (network[i] ?? 0)) & mask) === 0;
  });
}

/** Whether the relative names of `base` are the first ones of `name`, compared as RFC 5280 7.1 says. */
export function directoryWithin(name: DistinguishedName, base: DistinguishedName): boolean {
  const inner = rdnKeys(name);
  return rdnKeys(base).every((key, i) => inner[i] === key);
}

function rdnKeys(name: DistinguishedName): readonly string[] {
  const groups: string[][] = [];
  for (const attribute of name.attributes) {
    const group = groups[attribute.rdn] ?? [];
    groups[attribute.rdn] = group;
    group.push(attributeKey(attribute));
  }
  return groups.map((group) => JSON.stringify(group.sort()));
}
