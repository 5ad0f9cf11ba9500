import { contextTag, type DerCursor, type DerElement, readDer, TAG } from "./der.ts";
import { readOid, readSmallInteger } from "./der-values.ts";

/** An AlgorithmIdentifier (RFC 5280 4.1.1.2); `parameters` are DER octets, undefined when absent. */
export interface AlgorithmIdentifier {
  readonly oid: string;
  readonly parameters: Uint8Array | undefined;
}

export type HashName = "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512";

/** What a signature algorithm identifier stands for. */
export interface SignatureAlgorithm {
  /** As people write it: `ecdsa-with-SHA256`, `sha256WithRSAEncryption`, `rsassaPss-SHA256`, `Ed25519`. */
  readonly name: string;
  readonly scheme: "rsa-pkcs1" | "rsa-pss" | "ecdsa" | "ed25519" | "ed448";
  /** undefined for the Edwards curves, which hash inside. */
  readonly hash: HashName | undefined;
  /** RSASSA-PSS only: octets of salt. */
  readonly saltLength: number | undefined;
  /** MD5 or SHA-1: no protection against a forger; path validation refuses it. */
  readonly weak: boolean;
}

/**
 * The signature algorithm behind an identifier (RFC 3279, 4055, 5758, 8410); undefined when it is not one of
 * RSA PKCS#1 v1.5, RSASSA-PSS with MGF1 over the same hash, ECDSA, Ed25519, or Ed448, or its parameters are
 * none that node:crypto can verify.
 */
export function describeSignatureAlgorithm(
  oid: string,
  parameters: Uint8Array | undefined,
): SignatureAlgorithm | undefined {
  if (oid === RSASSA_PSS) return describePss(parameters);
  const known = SIGNATURES[oid];
  if (known === undefined) return undefined;
  const [name, scheme, hash] = known;
  return { name, scheme, hash, saltLength: undefined, weak: isWeak(hash) };
}

/** The AlgorithmIdentifier element's fields. */
export function decodeAlgorithm(element: DerElement): AlgorithmIdentifier {
  const fields = element.children();
  const oid = readOid(fields.take(TAG.OID, "algorithm"));
  const parameters = fields.done ? undefined : fields.read().raw;
  fields.finish("algorithm identifier");
  return { oid, parameters };
}

/**
 * Which parameters a signature algorithm must have: NULL for RSA PKCS#1 (RFC 4055 5), none for ECDSA and the
 * Edwards curves (RFC 5758 3.2, RFC 8410 3); undefined for RSASSA-PSS and unknown algorithms.
 */
export function expectedParameters(oid: string): "null" | "absent" | undefined {
  const known = SIGNATURES[oid];
  if (known === undefined) return undefined;
  return known[1] === "rsa-pkcs1" ? "null" : "absent";
}

const RSASSA_PSS = "1.2.840.113549.1.1.10";
const MGF1 = "1.2.840.113549.1.1.8";

const SIGNATURES: Readonly<
  Record<string, readonly [name: string, scheme: SignatureAlgorithm["scheme"], hash: HashName | undefined]>
> = {
  "1.2.840.113549.1.1.4": ["md5WithRSAEncryption", "rsa-pkcs1", "md5"],
  "1.2.840.113549.1.1.5": ["sha1WithRSAEncryption", "rsa-pkcs1", "sha1"],
  "1.2.840.113549.1.1.14": ["sha224WithRSAEncryption", "rsa-pkcs1", "sha224"],
  "1.2.840.113549.1.1.11": ["sha256WithRSAEncryption", "rsa-pkcs1", "sha256"],
  "1.2.840.113549.1.1.12": ["sha384WithRSAEncryption", "rsa-pkcs1", "sha384"],
  "1.2.840.113549.1.1.13": ["sha512WithRSAEncryption", "rsa-pkcs1", "sha512"],
  "1.2.840.10045.4.1": ["ecdsa-with-SHA1", "ecdsa", "sha1"],
  "1.2.840.10045.4.3.1": ["ecdsa-with-SHA224", "ecdsa", "sha224"],
  "1.2.840.10045.4.3.2": ["ecdsa-with-SHA256", "ecdsa", "sha256"],
  "1.2.840.10045.4.3.3": ["ecdsa-with-SHA384", "ecdsa", "sha384"],
  "1.2.840.10045.4.3.4": ["ecdsa-with-SHA512", "ecdsa", "sha512"],
  "1.3.101.112": ["Ed25519", "ed25519", undefined],
  "1.3.101.113": ["Ed448", "ed448", undefined],
};

const HASHES: Readonly<Record<string, HashName>> = {
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.4": "sha224",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

function isWeak(hash: HashName | undefined): boolean {
  return hash === "md5" || hash === "sha1";
}

/** RSASSA-PSS-params (RFC 4055 3.1); its defaults are SHA-1, MGF1 with SHA-1, 20 octets of salt, trailer 1. */
function describePss(parameters: Uint8Array | undefined): SignatureAlgorithm | undefined {
  if (parameters === undefined) return undefined;
  const fields = readDer(parameters, TAG.SEQUENCE, "RSASSA-PSS parameters").children();
  const hash = pssHash(inside(fields, 0));
  const mgfHash = maskHash(inside(fields, 1));
  const salt = inside(fields, 2)?.take(TAG.INTEGER, "salt length");
  const trailer = inside(fields, 3)?.take(TAG.INTEGER, "trailer field");
  fields.finish("RSASSA-PSS parameters");
  const saltLength = salt === undefined ? 20 : readSmallInteger(salt, 1024, "salt length");
  const standardTrailer = trailer === undefined || readSmallInteger(trailer, 255, "trailer field") === 1;
  if (hash === undefined || hash !== mgfHash || !standardTrailer) return undefined;
  return {
    name: `rsassaPss-${hash.toUpperCase()}`,
    scheme: "rsa-pss",
    hash,
    saltLength,
    weak: isWeak(hash),
  };
}

/** Cursor into the optional field `[number]`. */
function inside(fields: DerCursor, number: number): DerCursor | undefined {
  return fields.takeOptional(contextTag(number))?.children();
}

function pssHash(field: DerCursor | undefined): HashName | undefined {
  if (field === undefined) return "sha1";
  return HASHES[decodeAlgorithm(field.take(TAG.SEQUENCE, "hash algorithm")).oid];
}

function maskHash(field: DerCursor | undefined): HashName | undefined {
  if (field === undefined) return "sha1";
  const { oid, parameters } = decodeAlgorithm(field.take(TAG.SEQUENCE, "mask generation algorithm"));
  if (oid !== MGF1 || parameters === undefined) return undefined;
  return HASHES[decodeAlgorithm(readDer(parameters, TAG.SEQUENCE, "mask hash")).oid];
}
