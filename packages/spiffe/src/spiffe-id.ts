import { SpiffeError } from "./error.ts";

/** The name of an identity namespace (SPIFFE-ID section 2.1). Frozen. */
export interface TrustDomain {
  /** `example.org` */
  readonly name: string;
  /** `spiffe://example.org` */
  readonly id: string;
  /** The name. */
  toString(): string;
  toJSON(): string;
}

/** A SPIFFE ID (SPIFFE-ID section 2), of a workload or, with an empty path, of a trust domain. Frozen. */
export interface SpiffeId {
  readonly trustDomain: TrustDomain;
  /** "" or `/segment/segment`. */
  readonly path: string;
  /** The URI. IDs are equal exactly if their URIs are, octet for octet. */
  toString(): string;
  toJSON(): string;
}

const SCHEME = "spiffe://";
const MAX_ID_LENGTH = 2048;
const MAX_NAME_LENGTH = 255;

/** `example.org` or `spiffe://example.org`; anything else throws ERR_SPIFFE_ID. */
export function parseTrustDomain(text: string): TrustDomain {
  const name = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text;
  if (name === "") throw invalid("trust domain", text, "the name is empty");
  if (name.length > MAX_NAME_LENGTH) {
    throw invalid("trust domain", text, `the name is longer than ${MAX_NAME_LENGTH} octets`);
  }
  if (!/^[a-z0-9._-]+$/.test(name)) {
    throw invalid("trust domain", text, "a name consists of lower-case letters, digits, '.', '-' and '_'");
  }
  return Object.freeze({ name, id: SCHEME + name, toString: nameText, toJSON: nameText });
}

/**
 * A whole SPIFFE ID, by the grammar of SPIFFE-ID section 2: nothing is decoded, folded or normalised, so that
 * equal IDs are equal strings. Throws ERR_SPIFFE_ID.
 */
export function parseSpiffeId(text: string): SpiffeId {
  if (text.length > MAX_ID_LENGTH) throw invalid("SPIFFE ID", text, `longer than ${MAX_ID_LENGTH} octets`);
  if (!text.startsWith(SCHEME)) throw invalid("SPIFFE ID", text, `it does not begin with ${SCHEME}`);
  const slash = text.indexOf("/", SCHEME.length);
  const trustDomain = parseTrustDomain(slash < 0 ? text : text.slice(0, slash));
  const path = slash < 0 ? "" : text.slice(slash);
  for (const segment of path.split("/").slice(1)) {
    const problem = segmentProblem(segment);
    if (problem !== undefined) throw invalid("SPIFFE ID", text, problem);
  }
  return Object.freeze({ trustDomain, path, toString: idText, toJSON: idText });
}

/** For options that take either. */
export function asTrustDomain(value: TrustDomain | string): TrustDomain {
  return typeof value === "string" ? parseTrustDomain(value) : value;
}

/** For options that take either. */
export function asSpiffeId(value: SpiffeId | string): SpiffeId {
  return typeof value === "string" ? parseSpiffeId(value) : value;
}

function segmentProblem(segment: string): string | undefined {
  if (segment === "") return "a path has no empty segment and no slash at its end";
  if (segment === "." || segment === "..") return "a path has no segment of dots alone";
  return /^[A-Za-z0-9._-]+$/.test(segment)
    ? undefined
    : "a path consists of letters, digits, '.', '-' and '_' between slashes";
}

// Shared functions, so that equal IDs are also deeply equal.
function nameText(this: TrustDomain): string {
  return this.name;
}

function idText(this: SpiffeId): string {
  return this.trustDomain.id + this.path;
}

const SHOWN = 100;

function invalid(what: string, text: string, why: string): SpiffeError {
  const shown = JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
  return new SpiffeError("ERR_SPIFFE_ID", `${shown} is not a ${what}: ${why}`);
}
