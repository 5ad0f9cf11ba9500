import type { Certificate } from "../src/certificate.ts";
import type { CertificateRevocationList } from "../src/crl.ts";
import { type CertificateSpec, intermediate, leaf, type Party, root } from "./certificate-factory.ts";

/** A straight chain: who is on it, and what one would give to a verifier. */
export interface Chain {
  readonly root: Party;
  /** Below the root, from it downward. */
  readonly cas: readonly Party[];
  readonly leafParty: Party;
  readonly leaf: Certificate;
  readonly trust: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly crls?: readonly CertificateRevocationList[];
}

/** A root, `cas` below it and a leaf below the last of them. */
export function chain(
  specs: {
    readonly root?: Partial<CertificateSpec>;
    readonly cas?: readonly Partial<CertificateSpec>[];
    readonly leaf?: Partial<CertificateSpec>;
  } = {},
): Chain {
  const anchor = root({ subject: "root", ...specs.root });
  const cas: Party[] = [];
  for (const [index, spec] of (specs.cas ?? []).entries()) {
    cas.push(intermediate(cas.at(-1) ?? anchor, { subject: `ca ${index + 1}`, ...spec }));
  }
  const leafParty = leaf(cas.at(-1) ?? anchor, specs.leaf);
  return {
    root: anchor,
    cas,
    leafParty,
    leaf: leafParty.certificate,
    trust: [anchor.certificate],
    intermediates: cas.map(({ certificate }) => certificate),
  };
}
