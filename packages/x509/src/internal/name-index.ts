import { Buffer } from "node:buffer";
import type { Certificate } from "../certificate.ts";
import { type DistinguishedName, nameKey } from "../name.ts";
import type { TrustBundle } from "../trust-bundle.ts";

const keys = new WeakMap<DistinguishedName, string>();

/** `nameKey`, computed once per name object: a path search compares the same few names many times. */
export function keyOfName(name: DistinguishedName): string {
  const known = keys.get(name);
  if (known !== undefined) return known;
  const key = nameKey(name);
  keys.set(name, key);
  return key;
}

/** Subject and issuer are the same name (RFC 5280 3.2); says nothing about who signed. */
export function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return Buffer.compare(subject.der, issuer.der) === 0 || keyOfName(subject) === keyOfName(issuer);
}

const anchors = new WeakMap<TrustBundle, ReadonlyMap<string, readonly Certificate[]>>();

/** The certificates of the bundle with this subject; the index is made once per bundle. */
export function anchorsNamed(trust: TrustBundle, subject: DistinguishedName): readonly Certificate[] {
  let index = anchors.get(trust);
  if (index === undefined) {
    index = indexBySubject(trust.certificates);
    anchors.set(trust, index);
  }
  return index.get(keyOfName(subject)) ?? [];
}

function indexBySubject(certificates: readonly Certificate[]): ReadonlyMap<string, readonly Certificate[]> {
  const index = new Map<string, Certificate[]>();
  for (const certificate of certificates) {
    const key = keyOfName(certificate.subject);
    const named = index.get(key) ?? [];
    index.set(key, named);
    named.push(certificate);
  }
  return index;
}
