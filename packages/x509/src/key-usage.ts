import { type DerElement, TAG } from "./der.ts";
import { readOid } from "./der-values.ts";
import { X509Error } from "./error.ts";
import type { Warn } from "./warning.ts";

/** The key usages in the order of their bits (RFC 5280 4.2.1.3). */
export const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;

export type KeyUsage = (typeof KEY_USAGES)[number];

/** Object identifiers of extended key usages (RFC 5280 4.2.1.12). */
export const EKU = {
  any: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  codeSigning: "1.3.6.1.5.5.7.3.3",
  emailProtection: "1.3.6.1.5.5.7.3.4",
  timeStamping: "1.3.6.1.5.5.7.3.8",
  ocspSigning: "1.3.6.1.5.5.7.3.9",
} as const;

/** KeyUsage; bits and padding that DER would not write are a warning, as real authorities write them. */
export function decodeKeyUsage(element: DerElement, warn: Warn): ReadonlySet<KeyUsage> {
  const { bytes, contentStart, end, length } = element;
  const unused = bytes[contentStart] ?? 8;
  if (length < 2 || unused > 7) {
    throw new X509Error("ERR_X509_DER", "key usage is not a bit string", { offset: element.start });
  }
  const last = bytes[end - 1] ?? 0;
  if (((last >> unused) & 1) === 0 || (last & ((1 << unused) - 1)) !== 0) {
    warn("key_usage_encoding", "key usage is not in its shortest form");
  }
  const bits = (length - 1) * 8 - unused;
  const usages = new Set<KeyUsage>();
  KEY_USAGES.forEach((usage, bit) => {
    const octet = bytes[contentStart + 1 + (bit >> 3)] ?? 0;
    if (bit < bits && (octet & (0x80 >> (bit & 7))) !== 0) usages.add(usage);
  });
  return usages;
}

/** ExtKeyUsageSyntax: one or more object identifiers. */
export function decodeExtendedKeyUsage(element: DerElement): readonly string[] {
  const purposes: string[] = [];
  const cursor = element.children();
  do purposes.push(readOid(cursor.take(TAG.OID, "key purpose")));
  while (!cursor.done);
  return purposes;
}
