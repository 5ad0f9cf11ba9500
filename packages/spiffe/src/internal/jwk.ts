import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";

/** An entry of a JWK Set as it was read: nothing is known of its members but that it is an object. */
export type UntrustedJwk = Readonly<Record<string, unknown>>;

/** The members that make a public key; "d" and whatever else there may be is left behind (RFC 7518 section 6). */
const PUBLIC_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  RSA: ["kty", "n", "e"],
  EC: ["kty", "crv", "x", "y"],
};

/** Whether it is of a kind that signs JWT-SVIDs: RSA, or EC on a NIST curve. */
export function isJwtKeyType({ kty }: UntrustedJwk): boolean {
  return typeof kty === "string" && Object.hasOwn(PUBLIC_MEMBERS, kty);
}

/** The public key of an RSA or EC entry; undefined when its members make no key. */
export function importJwk(jwk: UntrustedJwk): KeyObject | undefined {
  const members = PUBLIC_MEMBERS[String(jwk.kty)] ?? [];
  const own = Object.fromEntries(members.map((member) => [member, jwk[member]]));
  if (!Object.values(own).every((value) => typeof value === "string")) return undefined;
  try {
    return createPublicKey({ key: own as JsonWebKey, format: "jwk" });
  } catch {
    return undefined;
  }
}

/** The public JWK of a key. */
export function exportJwk(key: KeyObject): JsonWebKey {
  return (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
}
