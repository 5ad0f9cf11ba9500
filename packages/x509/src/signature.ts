import { constants, type KeyObject, sign, verify } from "node:crypto";
import {
  type AlgorithmIdentifier,
  describeSignatureAlgorithm,
  type SignatureAlgorithm,
} from "./algorithm.ts";
import { X509Error } from "./error.ts";

/**
 * Whether `signature` over `tbs` was made by the owner of `key`. False as well when the algorithm is unknown or
 * does not fit the kind of key; weak hashes are verified like others, so ask `describeSignatureAlgorithm` too.
 */
export function verifySignature(
  tbs: Uint8Array,
  algorithm: AlgorithmIdentifier,
  signature: Uint8Array,
  key: KeyObject,
): boolean {
  const described = tryDescribe(algorithm);
  if (described === undefined || !fits(described, key)) return false;
  try {
    return verify(described.hash, tbs, { key, ...schemeOptions(described) }, signature);
  } catch {
    // OpenSSL throws instead of answering for, say, a hash that its configuration forbids.
    return false;
  }
}

/** What this package signs with for a kind of key: SHA-2 as long as the curve, RSA by PKCS#1 v1.5 with SHA-256. */
export function signatureOidFor(key: KeyObject): string {
  const { asymmetricKeyType: type = "secret", asymmetricKeyDetails } = key;
  const curve = asymmetricKeyDetails?.namedCurve;
  const oid = type === "ec" ? SIGNATURE_BY_CURVE[curve ?? ""] : SIGNATURE_BY_TYPE[type];
  if (oid !== undefined) return oid;
  const kind = curve === undefined ? type : `${type} ${curve}`;
  throw new X509Error("ERR_X509_KEY", `keys of type ${kind} cannot sign here`);
}

/** Signs with the algorithm that `signatureOidFor` names. */
export function createSignature(tbs: Uint8Array, key: KeyObject): Uint8Array {
  const hash = describeSignatureAlgorithm(signatureOidFor(key), undefined)?.hash;
  return new Uint8Array(sign(hash, tbs, key));
}

const SIGNATURE_BY_TYPE: Readonly<Record<string, string>> = {
  ed25519: "1.3.101.112",
  ed448: "1.3.101.113",
  rsa: "1.2.840.113549.1.1.11",
};

const SIGNATURE_BY_CURVE: Readonly<Record<string, string>> = {
  prime256v1: "1.2.840.10045.4.3.2",
  secp384r1: "1.2.840.10045.4.3.3",
  secp521r1: "1.2.840.10045.4.3.4",
};

const KEY_TYPES: Readonly<Record<SignatureAlgorithm["scheme"], readonly string[]>> = {
  "rsa-pkcs1": ["rsa"],
  "rsa-pss": ["rsa", "rsa-pss"],
  ecdsa: ["ec"],
  ed25519: ["ed25519"],
  ed448: ["ed448"],
};

function fits(algorithm: SignatureAlgorithm, key: KeyObject): boolean {
  return KEY_TYPES[algorithm.scheme].includes(key.asymmetricKeyType ?? "");
}

function schemeOptions({ scheme, saltLength }: SignatureAlgorithm): {
  padding?: number;
  saltLength?: number;
} {
  if (scheme === "rsa-pkcs1") return { padding: constants.RSA_PKCS1_PADDING };
  if (scheme !== "rsa-pss" || saltLength === undefined) return {};
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

function tryDescribe({ oid, parameters }: AlgorithmIdentifier): SignatureAlgorithm | undefined {
  try {
    return describeSignatureAlgorithm(oid, parameters);
  } catch {
    return undefined;
  }
}
