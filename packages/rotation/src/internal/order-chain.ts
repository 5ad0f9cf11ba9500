import type { KeyObject } from "node:crypto";
import { type Certificate, keyMatchesCertificate, namesEqual, X509Error } from "@newleaf/x509";
import type { MaterialNames } from "../identity-material.ts";
import { describe, type Problem, problem } from "./problem.ts";

export interface OrderedChain {
  readonly leaf: Certificate;
  readonly chain: readonly Certificate[];
  readonly warnings: readonly string[];
}

/**
 * Leaf first, then each certificate's issuer; what belongs to no such step (a cross-signed sibling) stays behind
 * it in the order given.
 */
export function orderChain(
  certificates: readonly Certificate[],
  key: KeyObject,
  names: MaterialNames,
): OrderedChain | Problem {
  const leaf = certificates.find((certificate) => belongsTo(key, certificate));
  if (!leaf) {
    const first = certificates[0];
    const whose = first ? ` ${describe(first)}` : "";
    return problem(
      "key_mismatch",
      `${names.key} does not belong to the certificate${whose} in ${names.certificate}`,
    );
  }
  const rest = certificates.filter((certificate) => certificate !== leaf);
  const chain: Certificate[] = [];
  for (let issuer = takeIssuer(leaf, rest); issuer; issuer = takeIssuer(issuer, rest)) chain.push(issuer);
  chain.push(...rest);
  const asGiven = certificates.every((certificate, index) => certificate === [leaf, ...chain][index]);
  const warnings = asGiven
    ? []
    : [`${names.certificate} is not in order; served leaf first, though other readers of it may fail`];
  return { leaf, chain, warnings };
}

// A certificate whose public key nobody here can read is nobody's leaf.
function belongsTo(key: KeyObject, certificate: Certificate): boolean {
  try {
    return keyMatchesCertificate(key, certificate);
  } catch (error) {
    if (error instanceof X509Error) return false;
    throw error;
  }
}

function takeIssuer(of: Certificate, from: Certificate[]): Certificate | undefined {
  const byName = from.filter((candidate) => namesEqual(candidate.subject, of.issuer));
  const wanted = of.authorityKeyIdentifier?.keyIdentifier;
  const issuer = byName.find((candidate) => candidate.subjectKeyIdentifier === wanted) ?? byName[0];
  if (issuer) from.splice(from.indexOf(issuer), 1);
  return issuer;
}
