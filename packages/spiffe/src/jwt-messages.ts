import {
  JWTBundlesResponseSchema,
  type JWTSVID,
  type JWTSVIDResponse,
  type ValidateJWTSVIDResponse,
} from "@newleaf/proto";
import { SpiffeError } from "./error.ts";
import { decodeMessage } from "./internal/decode-message.ts";
import { type JwtBundle, type JwtBundles, parseJwtBundle } from "./jwt-bundle.ts";
import { type JwtSvid, parseJwtSvid } from "./jwt-svid.ts";
import { parseSpiffeId, parseTrustDomain, type SpiffeId } from "./spiffe-id.ts";
import { atMost, firstOfEachHint, type WorkloadLimits } from "./x509-context.ts";

/** What the Workload API says of a token that it has validated. */
export interface ValidatedJwtSvid {
  readonly id: SpiffeId;
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Reads a message of FetchJWTBundles; one without any bundle takes all of them away. A bundle that cannot be read is an
 * empty one, which trusts nobody, so that it does not keep the others from being renewed.
 */
export function readJwtBundles(octets: Uint8Array, limits: WorkloadLimits): JwtBundles {
  const entries = Object.entries(decodeMessage(JWTBundlesResponseSchema, octets).bundles);
  atMost(limits.maxBundles, entries.length, "bundles");
  const bundles = new Map<string, JwtBundle>();
  for (const [trustDomain, jwks] of entries) {
    const domain = orUndefined(() => parseTrustDomain(trustDomain));
    if (!domain || bundles.has(domain.name)) continue;
    bundles.set(domain.name, orUndefined(() => parseJwtBundle(domain, jwks)) ?? emptyBundle(domain));
  }
  return bundles;
}

/** Reads an answer of FetchJWTSVID, which must be for the audience that was asked for. Throws ERR_SPIFFE_JWT_SVID. */
export function readJwtSvids(
  { svids }: JWTSVIDResponse,
  audience: readonly string[],
  limits: WorkloadLimits,
): readonly JwtSvid[] {
  if (svids.length > limits.maxSvids) throw unusable(`more than ${limits.maxSvids} JWT-SVIDs`);
  if (svids.length === 0) throw unusable("no JWT-SVID");
  return Object.freeze(firstOfEachHint(svids, []).map((svid) => readSvid(svid, audience)));
}

/** Reads an answer of ValidateJWTSVID, all of whose fields are mandatory. */
export function readValidation({ spiffeId, claims }: ValidateJWTSVIDResponse): ValidatedJwtSvid {
  if (spiffeId === "" || claims === undefined) throw unusable("a validation without SPIFFE ID or claims");
  return Object.freeze({ id: parseSpiffeId(spiffeId), claims: Object.freeze(claims) });
}

function readSvid({ spiffeId, svid: token, hint }: JWTSVID, audience: readonly string[]): JwtSvid {
  if (spiffeId === "" || token === "") throw unusable("a JWT-SVID without its SPIFFE ID or token");
  const svid = parseJwtSvid(token, { hint });
  if (`${svid.id}` !== spiffeId)
    throw unusable(`the token for ${JSON.stringify(spiffeId)} is for ${svid.id}`);
  const missing = audience.find((each) => !svid.audience.includes(each));
  if (missing !== undefined) throw unusable(`the token is not for the audience ${JSON.stringify(missing)}`);
  return svid;
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SpiffeError) return undefined;
    throw error;
  }
}

function emptyBundle(trustDomain: JwtBundle["trustDomain"]): JwtBundle {
  return Object.freeze({ trustDomain, keys: new Map() });
}

function unusable(why: string): SpiffeError {
  return new SpiffeError("ERR_SPIFFE_JWT_SVID", `the Workload API's answer is discarded: ${why}`);
}
