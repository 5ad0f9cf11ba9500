import type { KeyObject } from "node:crypto";
import { exportJwk, importJwk, isJwtKeyType, type UntrustedJwk } from "./internal/jwk.ts";
import { badBundle, readJwkSet } from "./internal/jwk-set.ts";
import { asTrustDomain, type TrustDomain } from "./spiffe-id.ts";

/** The keys that sign JWT-SVIDs of one trust domain. Frozen. */
export interface JwtBundle {
  readonly trustDomain: TrustDomain;
  /** Public keys by key ID. Empty: nobody is trusted. */
  readonly keys: ReadonlyMap<string, KeyObject>;
}

/** By the trust domain's NAME (`example.org`), and never merged. */
export type JwtBundles = ReadonlyMap<string, JwtBundle>;

/**
 * A JWK Set as the Workload API delivers it (JWT-SVID section 6). There entries need no `use`; those for other uses,
 * of other key types or without `kid` are passed over. Throws ERR_SPIFFE_BUNDLE for one that cannot be read at all,
 * for a key that is damaged, and for two keys of one ID.
 */
export function parseJwtBundle(trustDomain: TrustDomain | string, jwks: string | Uint8Array): JwtBundle {
  const domain = asTrustDomain(trustDomain);
  const what = `JWT bundle of ${domain}`;
  const { keys } = readJwkSet(jwks, what);
  const signing = keys.filter(({ use }) => use === undefined || use === "jwt-svid" || use === "sig");
  return Object.freeze({ trustDomain: domain, keys: readJwtAuthorities(signing, what) });
}

/** The bundle as a JWK Set of the form that the Workload API has: `kid` and key, no `use`. */
export function formatJwtBundle({ keys }: Pick<JwtBundle, "keys">): string {
  return JSON.stringify({ keys: [...keys].map(([kid, key]) => ({ ...exportJwk(key), kid })) });
}

/** The RSA and EC keys among the entries, by key ID. */
export function readJwtAuthorities(
  entries: readonly UntrustedJwk[],
  what: string,
): ReadonlyMap<string, KeyObject> {
  const keys = new Map<string, KeyObject>();
  for (const jwk of entries) {
    const { kid } = jwk;
    if (typeof kid !== "string" || kid === "" || !isJwtKeyType(jwk)) continue;
    const key = importJwk(jwk);
    if (key === undefined) throw badBundle(`${what}: the key ${shorten(kid)} cannot be read`);
    if (keys.get(kid)?.equals(key) === false)
      throw badBundle(`${what}: two keys have the ID ${shorten(kid)}`);
    keys.set(kid, key);
  }
  return keys;
}

function shorten(kid: string): string {
  return JSON.stringify(kid.length > 60 ? `${kid.slice(0, 60)}…` : kid);
}
