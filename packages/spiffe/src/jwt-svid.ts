import { decodeJwt, decodeProtectedHeader, errors } from "jose";
import { SpiffeError } from "./error.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** A token that names a workload to certain audiences (JWT-SVID sections 2 and 3). Frozen; a bearer secret. */
export interface JwtSvid {
  readonly id: SpiffeId;
  /** At least one. */
  readonly audience: readonly string[];
  readonly expiresAt: Date;
  readonly issuedAt: Date | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  /** What the Workload API says the SVID is for; "" when it says nothing. */
  readonly hint: string;
  /** The compact serialization. Not enumerable, so that it does not get into a log with the rest. */
  readonly token: string;
}

/** What may sign a JWT-SVID (JWT-SVID section 2.1). */
export const JWT_SVID_ALGORITHMS: readonly string[] = Object.freeze([
  "RS256",
  "RS384",
  "RS512",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
]);

const MAX_TOKEN_LENGTH = 16 * 1024;

/**
 * Reads a token by the rules of JWT-SVID sections 2, 3 and 5.1 WITHOUT verifying its signature or its times: for
 * tokens that come from the Workload API. Whoever receives one from a peer calls `verifyJwtSvid`. Throws
 * ERR_SPIFFE_JWT_SVID, which holds nothing that could be used as the token.
 */
export function parseJwtSvid(token: string, options: { readonly hint?: string } = {}): JwtSvid {
  readHeader(token);
  const claims = decode(() => decodeJwt(token), "the claims");
  const { sub, aud, exp, iat } = claims;
  const svid = {
    id: readSubject(sub),
    audience: readAudience(aud),
    expiresAt: readTime("exp", exp),
    issuedAt: iat === undefined ? undefined : readTime("iat", iat),
    claims: Object.freeze({ ...claims }),
    hint: options.hint ?? "",
  };
  return Object.freeze(Object.defineProperty(svid, "token", { value: token, enumerable: false })) as JwtSvid;
}

/** The key ID that a well-formed header names, if any. */
export function readHeader(token: string): { readonly alg: string; readonly kid: string | undefined } {
  if (token.length > MAX_TOKEN_LENGTH) throw invalid(`longer than ${MAX_TOKEN_LENGTH} octets`);
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw invalid("it is not a compact JWS");
  const { alg, kid, typ, ...others } = decode(() => decodeProtectedHeader(token), "the header");
  if (alg === undefined || !JWT_SVID_ALGORITHMS.includes(alg)) throw invalid("its algorithm is not allowed");
  if (typ !== undefined && typ !== "JWT" && typ !== "JOSE") throw invalid("its type is neither JWT nor JOSE");
  if (kid !== undefined && (typeof kid !== "string" || kid === "")) throw invalid("its key ID is not a text");
  if (Object.keys(others).length > 0) throw invalid("its header has members other than alg, kid and typ");
  return { alg, kid };
}

function readSubject(sub: unknown): SpiffeId {
  if (typeof sub !== "string") throw invalid("there is no subject");
  try {
    return parseSpiffeId(sub);
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw new SpiffeError("ERR_SPIFFE_JWT_SVID", "JWT-SVID: its subject is not a SPIFFE ID", { cause });
  }
}

function readAudience(aud: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const texts = values.filter((value) => typeof value === "string");
  if (texts.length === 0 || texts.length < values.length) throw invalid("there is no audience");
  return Object.freeze(texts);
}

function readTime(claim: string, seconds: unknown): Date {
  if (seconds === undefined) throw invalid(`there is no ${claim}`);
  const time = new Date(typeof seconds === "number" ? seconds * 1000 : Number.NaN);
  if (Number.isNaN(time.getTime())) throw invalid(`${claim} is not a time`);
  return time;
}

function decode<T>(read: () => T, what: string): T {
  try {
    return read();
  } catch (error) {
    // No cause: what is said about a damaged token may quote it.
    if (error instanceof errors.JOSEError || error instanceof TypeError)
      throw invalid(`${what} cannot be read`);
    throw error;
  }
}

function invalid(why: string): SpiffeError {
  return new SpiffeError("ERR_SPIFFE_JWT_SVID", `JWT-SVID: ${why}`);
}
