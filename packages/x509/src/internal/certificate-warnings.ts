import { type AlgorithmIdentifier, describeSignatureAlgorithm, expectedParameters } from "../algorithm.ts";
import { TAG } from "../der.ts";
import type { Warn } from "../warning.ts";

/** Serial numbers are positive and of at most 20 octets (RFC 5280 4.1.2.2). */
export function warnOfSerialNumber(serialNumber: string, warn: Warn): void {
  if (serialNumber >= "80") warn("serial_not_positive", "serial number is negative");
  if (serialNumber === "00") warn("serial_not_positive", "serial number is zero");
  if (serialNumber.length > 40) warn("serial_too_long", "serial number has more than 20 octets");
}

/** Parameters other than the algorithm's standard asks for, and hashes that a forger can collide. */
export function warnOfAlgorithm(algorithm: AlgorithmIdentifier, warn: Warn): void {
  const { oid, parameters } = algorithm;
  const expected = expectedParameters(oid);
  const isNull = parameters?.length === 2 && parameters[0] === TAG.NULL;
  if (expected === "null" && !isNull) {
    warn("algorithm_parameters", "RSA signature algorithm without its NULL parameters");
  }
  if (expected === "absent" && parameters !== undefined) {
    warn("algorithm_parameters", "signature algorithm has parameters where none belong");
  }
  const described = describeSignatureAlgorithm(oid, parameters);
  if (described?.weak === true) warn("weak_signature", `signed with ${described.name}`);
}

const EC_PUBLIC_KEY = "1.2.840.10045.2.1";

/** Curves are named, not spelled out (RFC 5480 2.1.1). */
export function warnOfPublicKey({ oid, parameters }: AlgorithmIdentifier, warn: Warn): void {
  if (oid === EC_PUBLIC_KEY && parameters?.[0] === TAG.SEQUENCE) {
    warn("ec_explicit_parameters", "the curve of the public key is spelled out instead of named");
  }
}
