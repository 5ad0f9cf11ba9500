import type { KeyObject } from "node:crypto";
import { errors, jwtVerify } from "jose";
import { SpiffeError } from "./error.ts";
import type { JwtBundles } from "./jwt-bundle.ts";
import { JWT_SVID_ALGORITHMS, type JwtSvid, parseJwtSvid, readHeader } from "./jwt-svid.ts";

export type JwtSvidVerdict =
  | { readonly ok: true; readonly svid: JwtSvid }
  | { readonly ok: false; readonly code: JwtSvidFailureCode; readonly message: string };

/** `unknown_authority`: there is no bundle of the token's trust domain, an empty one, or no such key in it. */
export type JwtSvidFailureCode =
  | "malformed"
  | "unknown_authority"
  | "bad_signature"
  | "expired"
  | "not_yet_valid"
  | "wrong_audience";

export interface VerifyJwtSvidOptions {
  /** Whom the verifier identifies with; of several, one must be among the token's audience. */
  readonly audience: string | readonly string[];
  readonly now: Date;
  /** How far clocks may be apart. Default 0. */
  readonly leewaySeconds?: number;
}

/**
 * Whether a token that a peer has sent is a JWT-SVID for us (JWT-SVID sections 3 and 4), by a key of the bundle of
 * its own trust domain and no other. A refusal is a value, which holds nothing of the token. ERR_SPIFFE_OPTIONS
 * without an audience.
 */
export async function verifyJwtSvid(
  token: string,
  bundles: JwtBundles,
  options: VerifyJwtSvidOptions,
): Promise<JwtSvidVerdict> {
  const audience = [options.audience].flat().filter((value) => value !== "");
  if (audience.length === 0) {
    throw new SpiffeError("ERR_SPIFFE_OPTIONS", "a JWT-SVID is verified for an audience, and none was given");
  }
  const read = readToken(token);
  if ("code" in read) return read;
  const { svid, alg, kid } = read;
  const keys = bundles.get(svid.id.trustDomain.name)?.keys ?? new Map<string, KeyObject>();
  const candidates = keysFor(keys, alg, kid);
  if (candidates.length === 0) {
    const missing = keys.size === 0 ? "no JWT bundle" : "no such key in the JWT bundle";
    return refused("unknown_authority", `there is ${missing} of the trust domain ${svid.id.trustDomain}`);
  }
  let failure: JwtSvidVerdict | undefined;
  for (const key of candidates) {
    failure = await checkWith(key, token, audience, options);
    if (failure === undefined) return { ok: true, svid };
    if (!failure.ok && failure.code !== "bad_signature") break;
  }
  return failure ?? refused("bad_signature", BAD_SIGNATURE);
}

const BAD_SIGNATURE = "the signature is not by a key of the token's trust domain";

function readToken(
  token: string,
): { svid: JwtSvid; alg: string; kid: string | undefined } | Extract<JwtSvidVerdict, { ok: false }> {
  try {
    return { svid: parseJwtSvid(token), ...readHeader(token) };
  } catch (error) {
    if (error instanceof SpiffeError) return refused("malformed", error.message);
    throw error;
  }
}

const CURVES: Readonly<Record<string, string>> = {
  ES256: "prime256v1",
  ES384: "secp384r1",
  ES512: "secp521r1",
};

/** The key of that ID. `kid` is optional (JWT-SVID section 2.2): without it, each key that can be meant. */
function keysFor(
  keys: ReadonlyMap<string, KeyObject>,
  alg: string,
  kid: string | undefined,
): readonly KeyObject[] {
  const named = kid === undefined ? [...keys.values()] : [keys.get(kid)].filter((key) => key !== undefined);
  const curve = CURVES[alg];
  return named.filter(
    ({ asymmetricKeyType, asymmetricKeyDetails }) =>
      asymmetricKeyType === (curve === undefined ? "rsa" : "ec") &&
      asymmetricKeyDetails?.namedCurve === curve,
  );
}

async function checkWith(
  key: KeyObject,
  token: string,
  audience: string[],
  { now, leewaySeconds = 0 }: VerifyJwtSvidOptions,
): Promise<JwtSvidVerdict | undefined> {
  try {
    await jwtVerify(token, key, {
      algorithms: [...JWT_SVID_ALGORITHMS],
      audience,
      currentDate: now,
      clockTolerance: leewaySeconds,
      requiredClaims: ["sub", "aud", "exp"],
    });
    return undefined;
  } catch (error) {
    return verdictOf(error);
  }
}

function verdictOf(error: unknown): JwtSvidVerdict {
  if (error instanceof errors.JWTExpired) return refused("expired", "the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "aud") return refused("wrong_audience", "the token is for another audience");
    if (error.claim === "nbf") return refused("not_yet_valid", "the token is not valid yet");
    return refused("malformed", `the claim ${error.claim} is not as it must be`);
  }
  // Signatures that do not fit, and keys too weak to count (RSA under 2048 bits is a TypeError).
  if (error instanceof errors.JOSEError || error instanceof TypeError) {
    return refused("bad_signature", BAD_SIGNATURE);
  }
  throw error;
}

function refused(code: JwtSvidFailureCode, message: string): Extract<JwtSvidVerdict, { ok: false }> {
  return { ok: false, code, message };
}
