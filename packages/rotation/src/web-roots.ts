import { rootCertificates } from "node:tls";
import {
  type Certificate,
  createTrustBundle,
  parseCertificates,
  type TrustBundle,
  X509Error,
} from "@newleaf/x509";

let roots: TrustBundle | undefined;

/**
 * The authorities of the web as this release of Node brings them (Mozilla's list), for `serverTrust` and for the trust
 * of a web certificate of one's own. Never a default: whoever trusts them says so. Parsed at the first call.
 */
export function webRoots(): TrustBundle {
  roots ??= createTrustBundle(rootCertificates.flatMap(readable));
  return roots;
}

/** One that cannot be read vouches for nobody; the others still do. */
function readable(pem: string): Certificate[] {
  try {
    return [...parseCertificates(pem)];
  } catch (error) {
    if (error instanceof X509Error) return [];
    throw error;
  }
}
