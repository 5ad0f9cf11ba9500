import type { KeyObject } from "node:crypto";
import { expectedParameters } from "./algorithm.ts";
import { bitString, nullValue, oid, sequence } from "./der-writer.ts";
import { createSignature, signatureOidFor } from "./signature.ts";

/** The AlgorithmIdentifier under which `key` will sign. */
export function encodeSignatureAlgorithm(key: KeyObject): Uint8Array {
  const id = signatureOidFor(key);
  return sequence(oid(id), ...(expectedParameters(id) === "null" ? [nullValue()] : []));
}

/** `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }`, signed with `key`. */
export function encodeSigned(tbs: Uint8Array, key: KeyObject): Uint8Array {
  return sequence(tbs, encodeSignatureAlgorithm(key), bitString(createSignature(tbs, key)));
}
