import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { type Certificate, encodeCertificates, parseCertificate } from "@newleaf/x509";
import { SpiffeError } from "./error.ts";
import { type EndpointAuthentication, parseEndpointUrl } from "./internal/fetch-bundle.ts";
import { asSpiffeId, type SpiffeId, type TrustDomain } from "./spiffe-id.ts";
import { verifyX509Svid } from "./verify-x509-svid.ts";
import type { X509Bundles } from "./x509-bundle.ts";

/**
 * How a bundle endpoint proves who it is (Federation section 5.2): by a certificate of the web for the host of its URL,
 * or by an X509-SVID.
 */
export type BundleEndpointProfile = "https_web" | HttpsWebProfile | HttpsSpiffeProfile;

export interface HttpsWebProfile {
  readonly type: "https_web";
  /** Authorities instead of those that Node.js trusts on the web, for tests and private networks. */
  readonly roots?: readonly Certificate[];
}

export interface HttpsSpiffeProfile {
  readonly type: "https_spiffe";
  readonly endpointId: SpiffeId | string;
  /**
   * The bundles known now, asked at each connection, for an endpoint of another trust domain than the one it serves. One
   * that serves its own is verified by what it served last, at first by `bundle`.
   */
  readonly bundles?: () => X509Bundles;
}

/** What to connect to, and as whom to accept it. */
export interface BundleEndpoint {
  readonly url: URL;
  /** Verifies by what is known at this moment. */
  authentication(now: Date): EndpointAuthentication;
}

/** Checks the parameters of an endpoint (Federation section 5.1). Throws ERR_SPIFFE_OPTIONS. */
export function createBundleEndpoint(
  options: {
    readonly url: string | URL;
    readonly profile: BundleEndpointProfile;
    readonly trustDomain: TrustDomain;
  },
  /** The bundle of the trust domain itself, as known now. */
  own: (() => X509Bundles) | undefined,
): BundleEndpoint {
  const url = parseEndpointUrl(String(options.url));
  if (url === undefined) throw badOptions("a bundle endpoint has an https URL without user or password");
  const profile = options.profile === "https_web" ? { type: options.profile } : options.profile;
  if (profile.type === "https_web") {
    const web = webAuthentication(profile);
    return { url, authentication: () => web };
  }
  const endpointId = asSpiffeId(profile.endpointId);
  if (endpointId.path === "")
    throw badOptions(`${endpointId} is the ID of a trust domain, not of an endpoint`);
  const selfServing = endpointId.trustDomain.name === options.trustDomain.name;
  const bundles = selfServing ? own : profile.bundles;
  if (bundles === undefined) {
    const missing = selfServing ? "the first bundle, to verify it with" : "the bundles of its trust domain";
    throw badOptions(`the endpoint ${endpointId} needs ${missing}`);
  }
  return { url, authentication: (now) => spiffeAuthentication(endpointId, bundles(), now) };
}

function webAuthentication({ roots }: HttpsWebProfile): EndpointAuthentication {
  if (roots?.length === 0) throw badOptions("an empty list of roots would trust no endpoint");
  const ca = roots && { ca: encodeCertificates(roots) };
  return { tls: { rejectUnauthorized: true, ...ca }, objection: () => undefined };
}

/** OpenSSL proves that the endpoint holds its key; whose that is, our own validation says. */
function spiffeAuthentication(endpointId: SpiffeId, bundles: X509Bundles, now: Date): EndpointAuthentication {
  return {
    tls: { rejectUnauthorized: false },
    objection(socket) {
      const chain = octetsOf(socket).map((der) => parseCertificate(der));
      const verdict = verifyX509Svid(chain, bundles, { now, purpose: "serverAuth" });
      if (!verdict.ok) return verdict.message;
      return `${verdict.id}` === `${endpointId}` ? undefined : `it is ${verdict.id}`;
    },
  };
}

const LONGEST_CHAIN = 16;

function octetsOf(socket: TLSSocket): readonly Uint8Array[] {
  const octets: Buffer[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  // Ends at a root, which names itself as its issuer.
  while (next?.raw && octets.length < LONGEST_CHAIN) {
    const { raw }: DetailedPeerCertificate = next;
    if (octets.some((known) => known.equals(raw))) break;
    octets.push(raw);
    next = next.issuerCertificate;
  }
  return octets;
}

function badOptions(message: string): SpiffeError {
  return new SpiffeError("ERR_SPIFFE_OPTIONS", message);
}
