import { RotationError } from "./error.ts";
import type { Authorizer } from "./verified-peer.ts";

/** Authorizers by name. Each takes at least one name: a list that allows nobody is taken for the mistake it is. */
export const allow: {
  /** DNS names, without regard to case. `*.shop.svc` stands for one label: `a.shop.svc`, not `a.b.shop.svc`. */
  dns(...patterns: readonly string[]): Authorizer;
  /** URIs, octet for octet. A pattern that ends in `/*` stands for everything below it. */
  uri(...patterns: readonly string[]): Authorizer;
  /** SPIFFE IDs: as `uri`, for certificates that are X.509-SVIDs, with exactly one URI name. */
  spiffeId(...patterns: readonly string[]): Authorizer;
  /**
   * The subject's common name, octet for octet; a subject with several has none. For old certificates: any CA of the
   * bundle may write it.
   */
  commonName(...names: readonly string[]): Authorizer;
  /** Whoever one of these allows. */
  oneOf(...authorizers: readonly Authorizer[]): Authorizer;
  /** Everyone whose certificate the trust bundle vouches for. */
  any(): Authorizer;
} = Object.freeze({ dns, uri, spiffeId, commonName, oneOf, any });

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

function dns(...patterns: readonly string[]): Authorizer {
  const matchers = atLeastOne("dns", patterns).map((pattern) => {
    const wildcard = pattern.startsWith("*.");
    const name = canonical(wildcard ? pattern.slice(2) : pattern);
    if (!name.split(".").every((label) => LABEL.test(label))) throw badPattern("dns", pattern);
    return wildcard
      ? (candidate: string) => isOneLabelBelow(candidate, name)
      : (candidate: string) => candidate === name;
  });
  return ({ dnsNames }) => dnsNames.map(canonical).some((name) => matchers.some((matches) => matches(name)));
}

function uri(...patterns: readonly string[]): Authorizer {
  const matchers = atLeastOne("uri", patterns).map((pattern) => uriMatcher("uri", pattern));
  return ({ uris }) => uris.some((candidate) => matchers.some((matches) => matches(candidate)));
}

function spiffeId(...patterns: readonly string[]): Authorizer {
  const matchers = atLeastOne("spiffeId", patterns).map((pattern) => {
    if (!isSpiffePattern(pattern)) throw badPattern("spiffeId", pattern);
    return uriMatcher("spiffeId", pattern);
  });
  return ({ uris: [id, ...others] }) =>
    id !== undefined && others.length === 0 && matchers.some((matches) => matches(id));
}

function commonName(...names: readonly string[]): Authorizer {
  const allowed = new Set(atLeastOne("commonName", names));
  return ({ commonName }) => commonName !== undefined && allowed.has(commonName);
}

function oneOf(...authorizers: readonly Authorizer[]): Authorizer {
  atLeastOne("oneOf", authorizers);
  return (peer) => authorizers.some((authorize) => authorize(peer) === true);
}

function any(): Authorizer {
  return () => true;
}

function isOneLabelBelow(candidate: string, parent: string): boolean {
  if (!candidate.endsWith(`.${parent}`)) return false;
  // A certificate for "*.shop.svc" itself names no one.
  return LABEL.test(candidate.slice(0, -parent.length - 1));
}

function uriMatcher(rule: string, pattern: string): (candidate: string) => boolean {
  const below = pattern.endsWith("/*");
  const fixed = below ? pattern.slice(0, -1) : pattern;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/*]/i.test(fixed) || fixed.includes("*")) throw badPattern(rule, pattern);
  if (!below) return (candidate) => candidate === fixed;
  return (candidate) => candidate.startsWith(fixed) && isPlainPath(candidate.slice(fixed.length));
}

// SPIFFE-ID section 2; what no certificate can be called is a mistake, not a rule.
function isSpiffePattern(pattern: string): boolean {
  const [, path] = /^spiffe:\/\/[a-z0-9._-]+((?:\/[A-Za-z0-9._-]+)*)(?:\/\*)?$/.exec(pattern) ?? [];
  return path?.split("/").every((segment) => !/^\.{1,2}$/.test(segment)) ?? false;
}

// "spiffe://shop/backend/../admin" starts with "spiffe://shop/backend/", yet a reader may take it for another.
function isPlainPath(rest: string): boolean {
  return rest.split("/").every((segment) => /^[A-Za-z0-9._~-]+$/.test(segment) && !/^\.+$/.test(segment));
}

function canonical(name: string): string {
  return (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase();
}

function atLeastOne<T>(rule: string, entries: readonly T[]): readonly T[] {
  if (entries.length === 0) {
    throw new RotationError("ERR_ROTATION_OPTIONS", `allow.${rule}() without a name would allow nobody`);
  }
  return entries;
}

function badPattern(rule: string, pattern: string): RotationError {
  return new RotationError(
    "ERR_ROTATION_OPTIONS",
    `allow.${rule}(${JSON.stringify(pattern)}) is not a usable pattern`,
  );
}
