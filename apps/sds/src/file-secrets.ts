import type { Generation } from "@newleaf/rotation";
import type { Distrust } from "./distrust.ts";
import type { SanMatchers } from "./san-matcher.ts";
import type { SecretContent } from "./secret-content.ts";

/** The validation context that belongs to a certificate of this name. */
export function contextName(name: string): string {
  return `${name}-ca`;
}

/** The two secrets of one identity: the certificate under its name, whom it trusts under `NAME-ca`. */
export function generationSecrets(
  name: string,
  generation: Generation,
  { distrust, sans }: { readonly distrust: Distrust; readonly sans: SanMatchers },
): ReadonlyMap<string, SecretContent> {
  const { leaf, chain, key, trust, crls, withdrawn } = generation;
  const context = contextName(name);
  const matchers = sans.get(context) ?? [];
  if (withdrawn !== undefined) {
    return new Map<string, SecretContent>([
      [name, distrust.certificate],
      [context, { ...distrust.anchors, sans: matchers }],
    ]);
  }
  return new Map<string, SecretContent>([
    [name, { kind: "certificate", chain: [leaf, ...chain], key }],
    [context, { kind: "anchors", anchors: trust.certificates, crls, sans: matchers }],
  ]);
}
