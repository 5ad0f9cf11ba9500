import { type Certificate, formatName } from "@newleaf/x509";

/**
 * The names that an identity consists of, sorted: URI, DNS and IP; the common name only where there are none of
 * these (RFC 6125 section 6.4.4), the whole subject where there is no common name either.
 */
export function identityNames(leaf: Certificate): readonly string[] {
  const names = new Set<string>();
  for (const name of leaf.subjectAltNames) {
    if (name.type === "dns") names.add(`dns:${name.value.toLowerCase()}`);
    else if (name.type === "uri" || name.type === "ip") names.add(`${name.type}:${name.value}`);
  }
  if (names.size === 0) names.add(`cn:${leaf.subject.commonName ?? formatName(leaf.subject)}`);
  return [...names].sort();
}
