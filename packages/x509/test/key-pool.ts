import { generateKeyPairSync, type KeyObject } from "node:crypto";

export type KeyKind =
  | "p256"
  | "p384"
  | "p521"
  | "p224"
  | "secp256k1"
  | "brainpool256"
  | "p256-explicit"
  | "ed25519"
  | "ed448"
  | "rsa1024"
  | "rsa2048"
  | "rsa-pss"
  | "dsa";

const pool = new Map<string, KeyObject>();

/** The private key of that kind and name: made on first use, the same one ever after. */
export function privateKey(kind: KeyKind, name: string): KeyObject {
  const id = `${kind} ${name}`;
  const key = pool.get(id) ?? generate(kind);
  pool.set(id, key);
  return key;
}

const CURVES: Partial<Record<KeyKind, string>> = {
  p256: "prime256v1",
  p384: "secp384r1",
  p521: "secp521r1",
  p224: "secp224r1",
  secp256k1: "secp256k1",
  brainpool256: "brainpoolP256r1",
};

function generate(kind: KeyKind): KeyObject {
  const namedCurve = CURVES[kind];
  if (namedCurve !== undefined) return generateKeyPairSync("ec", { namedCurve }).privateKey;
  switch (kind) {
    case "p256-explicit":
      return generateKeyPairSync("ec", { namedCurve: "prime256v1", paramEncoding: "explicit" }).privateKey;
    case "ed25519":
      return generateKeyPairSync("ed25519").privateKey;
    case "ed448":
      return generateKeyPairSync("ed448").privateKey;
    case "rsa-pss":
      return generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey;
    case "dsa":
      return generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 256 }).privateKey;
    default:
      return generateKeyPairSync("rsa", { modulusLength: Number(kind.slice(3, 7)) }).privateKey;
  }
}
