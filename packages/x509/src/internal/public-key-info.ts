import { type AlgorithmIdentifier, decodeAlgorithm } from "../algorithm.ts";
import { type DerElement, TAG } from "../der.ts";
import { readBitStringOctets } from "../der-values.ts";

/** The algorithm of a SubjectPublicKeyInfo (RFC 5280 4.1.2.7), after checking its structure. */
export function decodePublicKeyAlgorithm(key: DerElement): AlgorithmIdentifier {
  const fields = key.children();
  const algorithm = decodeAlgorithm(fields.take(TAG.SEQUENCE, "public key algorithm"));
  readBitStringOctets(fields.take(TAG.BIT_STRING, "public key bits"));
  fields.finish("public key");
  return algorithm;
}
