import type { JwtBundle, JwtBundles } from "@newleaf/spiffe";

/**
 * The file of JWT bundles, octet for octet as spiffe-helper writes it (where it has an order): trust domain to the
 * base64 of its JWK Set.
 */
export function renderJwtBundles(bundles: JwtBundles): string {
  const entries = [...bundles].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(
    Object.fromEntries(
      entries.map(([trustDomain, { keys }]) => [
        trustDomain,
        Buffer.from(renderJwks(keys)).toString("base64"),
      ]),
    ),
  );
}

function renderJwks(keys: JwtBundle["keys"]): string {
  return JSON.stringify({
    keys: [...keys].map(([kid, key]) => {
      const { kty, crv, x, y, n, e } = key.export({ format: "jwk" });
      return { kty, kid, crv, x, y, n, e };
    }),
  });
}
