import { Buffer } from "node:buffer";
import { type AlgorithmIdentifier, decodeAlgorithm } from "./algorithm.ts";
import { type DerElement, readDer, TAG } from "./der.ts";
import { readBitStringOctets } from "./der-values.ts";
import { X509Error, type X509ErrorCode } from "./error.ts";
import type { Warn } from "./warning.ts";

/** The three parts that certificates, requests and revocation lists are made of. */
export interface Signed {
  readonly tbs: DerElement;
  readonly algorithm: DerElement;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
}

/** Takes apart `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }`; nothing may follow it. */
export function decodeSigned(der: Uint8Array, what: string): Signed {
  const fields = readDer(der, TAG.SEQUENCE, what).children();
  const tbs = fields.take(TAG.SEQUENCE, `${what} fields`);
  const algorithm = fields.take(TAG.SEQUENCE, "signature algorithm");
  const signature = readBitStringOctets(fields.take(TAG.BIT_STRING, "signature"));
  fields.finish(what);
  return { tbs, algorithm, signatureAlgorithm: decodeAlgorithm(algorithm), signature };
}

/**
 * The algorithm is written inside and outside of what is signed, and must be the same (RFC 5280 4.1.1.2).
 * Another spelling of the parameters is tolerated with a warning, another algorithm is not.
 */
export function checkSameAlgorithm(inner: DerElement, outer: Signed, code: X509ErrorCode, warn: Warn): void {
  if (Buffer.compare(inner.raw, outer.algorithm.raw) === 0) return;
  if (decodeAlgorithm(inner).oid !== outer.signatureAlgorithm.oid) {
    throw new X509Error(code, "signed and outer signature algorithm differ", { offset: inner.start });
  }
  warn("algorithm_mismatch", "signed and outer signature algorithm have different parameters");
}
