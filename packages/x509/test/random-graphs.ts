import type { Certificate } from "../src/certificate.ts";
import {
  type CertificateSpec,
  days,
  issue,
  leaf,
  type Party,
  unknownExtension,
} from "./certificate-factory.ts";
import { createRandom, type Random } from "./random.ts";

/** CAs that certify each other at random: shared names, shared keys, loops, several anchors, some faults. */
export interface Graph {
  readonly leaf: Certificate;
  readonly trust: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
}

const FAULTS: readonly Partial<CertificateSpec>[] = [
  { to: days(-1) },
  { from: days(1) },
  { pathLength: 0 },
  { ca: false },
  { usages: ["cRLSign"] },
  { extra: [unknownExtension(true)] },
];

export function randomGraph(seed: number, size: { authorities: number; certificates: number }): Graph {
  const random = createRandom(seed);
  const authorities = Array.from({ length: 2 + random.below(size.authorities - 1) }, (_, i) => ({
    subject: `graph ${random.chance(0.2) ? 0 : i}`,
    keyName: `graph key ${random.chance(0.2) ? 0 : i}`,
  }));
  const parties = authorities.map((spec) => certify(random, undefined, spec));
  const count = authorities.length + random.below(size.certificates);
  for (let i = 0; i < count; i++) {
    parties.push(certify(random, random.pick(parties), random.pick(authorities)));
  }
  const trust = parties.filter(() => random.chance(1.5 / parties.length));
  return {
    leaf: leaf(random.pick(parties), { names: [] }).certificate,
    trust: trust.map(({ certificate }) => certificate),
    intermediates: parties.filter((party) => !trust.includes(party)).map(({ certificate }) => certificate),
  };
}

function certify(random: Random, issuer: Party | undefined, spec: CertificateSpec): Party {
  const fault = random.chance(0.25) ? random.pick(FAULTS) : {};
  return issue(issuer, { ca: true, usages: ["keyCertSign", "cRLSign"], ...spec, ...fault });
}

/**
 * Every way from the leaf to a trusted certificate, found without any cleverness: by name and key identifier,
 * never twice through the same authority, at most `limit` of them.
 */
export function allPaths(graph: Graph, limit: number): readonly (readonly Certificate[])[] {
  const found: (readonly Certificate[])[] = [];
  const all = [...graph.trust, ...graph.intermediates];
  const extend = (path: readonly Certificate[], top: Certificate) => {
    for (const issuer of all) {
      if (found.length >= limit || !issued(issuer, top)) continue;
      if (path.some((used) => identity(used) === identity(issuer))) continue;
      if (graph.trust.includes(issuer)) found.push([...path, issuer]);
      else extend([...path, issuer], issuer);
    }
  };
  extend([graph.leaf], graph.leaf);
  return found;
}

function issued(issuer: Certificate, subject: Certificate): boolean {
  return (
    Buffer.compare(issuer.subject.der, subject.issuer.der) === 0 &&
    issuer.subjectKeyIdentifier === subject.authorityKeyIdentifier?.keyIdentifier
  );
}

function identity({ subject, subjectKeyIdentifier }: Certificate): string {
  return `${subject.commonName} ${subjectKeyIdentifier}`;
}
