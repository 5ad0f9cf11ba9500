import { parseSpiffeId, type SpiffeId, type X509Context, type X509Svid } from "@newleaf/spiffe";
import type { Distrust } from "./distrust.ts";
import type { SanMatchers } from "./san-matcher.ts";
import type { SecretContent } from "./secret-content.ts";

/** The names under which the SPIRE agent serves what needs no name of its own. */
const SPIFFE_NAMES = { certificate: "default", ownDomain: "ROOTCA", allDomains: "ALL" } as const;

/**
 * The secrets of a workload, under the names that the SPIRE agent gives them: `default` and each SPIFFE ID are
 * certificates; `ROOTCA`, `ALL` and each trust domain's ID are validation contexts. Names of before that have nothing
 * any more are revoked. With revocation lists, the contexts of a single domain check them, in plain form: the SPIFFE
 * validator cannot.
 */
export function spiffeSecrets(
  { svids, bundles, crls }: Pick<X509Context, "svids" | "bundles" | "crls">,
  before: Iterable<string>,
  { distrust, sans }: { readonly distrust: Distrust; readonly sans: SanMatchers },
): ReadonlyMap<string, SecretContent> {
  const secrets = new Map<string, SecretContent>();
  const domains = new Map(
    [...bundles].flatMap(([name, { certificates }]) =>
      certificates.length > 0 ? [[name, certificates]] : [],
    ),
  );
  const contextOf = (name: string, only: string | undefined): SecretContent => {
    const matchers = sans.get(name) ?? [];
    const chosen = only === undefined ? domains : new Map([...domains].filter(([domain]) => domain === only));
    const [first] = chosen.values();
    if (first === undefined) return { ...distrust.anchors, sans: matchers };
    if (only !== undefined && crls.length > 0)
      return { kind: "anchors", anchors: first, crls, sans: matchers };
    return { kind: "trust-domains", domains: chosen, sans: matchers };
  };

  const [own] = svids;
  if (own) {
    secrets.set(SPIFFE_NAMES.certificate, certificateOf(own));
    secrets.set(SPIFFE_NAMES.ownDomain, contextOf(SPIFFE_NAMES.ownDomain, own.id.trustDomain.name));
    secrets.set(SPIFFE_NAMES.allDomains, contextOf(SPIFFE_NAMES.allDomains, undefined));
    for (const name of bundles.keys()) secrets.set(`spiffe://${name}`, contextOf(`spiffe://${name}`, name));
  }
  for (const svid of svids) if (!secrets.has(`${svid.id}`)) secrets.set(`${svid.id}`, certificateOf(svid));
  for (const name of before) {
    if (!secrets.has(name)) secrets.set(name, revoked(name, { distrust, sans }));
  }
  return secrets;
}

/** Whether a name is one that a workload's secrets can have. */
export function isSpiffeName(name: string): boolean {
  return Object.values<string>(SPIFFE_NAMES).includes(name) || readId(name) !== undefined;
}

/** Whether a name is that of a validation context among them. */
export function isSpiffeContext(name: string): boolean {
  return isSpiffeName(name) && !isCertificateName(name);
}

function isCertificateName(name: string): boolean {
  return name === SPIFFE_NAMES.certificate || (readId(name)?.path ?? "") !== "";
}

function revoked(
  name: string,
  { distrust, sans }: { readonly distrust: Distrust; readonly sans: SanMatchers },
): SecretContent {
  return isCertificateName(name) ? distrust.certificate : { ...distrust.anchors, sans: sans.get(name) ?? [] };
}

function certificateOf({ certificates, key }: X509Svid): SecretContent {
  return { kind: "certificate", chain: certificates, key };
}

function readId(name: string): SpiffeId | undefined {
  try {
    return parseSpiffeId(name);
  } catch {
    return undefined;
  }
}
