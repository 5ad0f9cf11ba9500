import { type PathFailureCode, validatePath } from "@newleaf/x509";
import type { CheckedIdentity, Generation } from "./generation.ts";
import { contentSha256 } from "./generation.ts";
import type { IdentityMaterial, MaterialNames } from "./identity-material.ts";
import type { RefusalCode } from "./identity-source.ts";
import { checkRevocationLists } from "./internal/check-revocation-lists.ts";
import { identityNames } from "./internal/identity-names.ts";
import { orderChain } from "./internal/order-chain.ts";
import { parseMaterial } from "./internal/parse-material.ts";
import { describe, isProblem, type Problem, problem } from "./internal/problem.ts";

export interface GateOptions {
  /** Accept an update whose names (URI, DNS, IP; common name only without these) differ. Default false. */
  readonly allowIdentityChange?: boolean;
  /** The most octets one part of the material may have. Default 1 MiB. */
  readonly maxBytes?: number;
  /** What messages call the parts, file names for example. */
  readonly names?: Partial<MaterialNames>;
  /** Has the last word on material that is in order otherwise. */
  readonly announcements?: Announcements;
}

/** What somebody else says of which identity is meant, such as the hash of a certificate in a Lease. */
export interface Announcements {
  /** Why this material is not taken now, undefined if it is. Synchronous; must not throw. */
  objection(material: IdentityMaterial): string | undefined;
  /** Calls back when answers may have changed, for what was refused to be looked at again; returns how to stop. */
  onChange(again: () => void): () => void;
}

export type GateResult = GatePass | GateRefusal;

export interface GatePass {
  readonly ok: true;
  readonly identity: CheckedIdentity;
  /** The same content as the previous generation: nothing to take over. */
  readonly unchanged: boolean;
  /** What was repaired, in sentences. */
  readonly warnings: readonly string[];
}

export interface GateRefusal {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly message: string;
  /** Set when the passing of time alone can turn this refusal into a pass. */
  readonly timeDependent: boolean;
  /** When it should be tried again, where that is known. */
  readonly retryAt: Date | undefined;
}

/**
 * Decides whether an update may become a generation, before anything of it reaches Node's TLS, which accepts most
 * of what is refused here silently. Pure: the same material, previous generation and moment give the same result.
 *
 * The chain may come in any order, since what is meant is not in doubt: the leaf is the certificate that the key
 * belongs to, and each certificate is followed by its issuer. It is served leaf first (RFC 8446 section 4.4.2), with a
 * warning, for refusing it would turn an untidy file into an outage at expiry.
 */
export function checkMaterial(
  material: IdentityMaterial,
  previous: Generation | undefined,
  options: GateOptions,
  now: Date,
): GateResult {
  const parsed = parseMaterial(material, options, previous?.trust);
  if (isProblem(parsed)) return refused(parsed, previous);
  const ordered = orderChain(parsed.certificates, parsed.key, parsed.names);
  if (isProblem(ordered)) return refused(ordered, previous);
  const { key, trust, crls } = parsed;
  const identity: CheckedIdentity = {
    leaf: ordered.leaf,
    chain: ordered.chain,
    key,
    trust,
    crls: crls ?? [],
    peerTrust: material.peerTrust,
  };
  const { warnings } = ordered;
  const unchanged = contentSha256(identity) === previous?.contentSha256;
  const found =
    (unchanged
      ? undefined
      : (checkValidity(identity, now) ??
        (crls && checkRevocationLists(identity, parsed.names, now)) ??
        checkPath(identity, parsed.names, now) ??
        (options.allowIdentityChange ? undefined : checkNames(identity, previous)))) ??
    checkAnnounced(material, options.announcements);
  return found ? refused(found, previous) : { ok: true, identity, unchanged, warnings };
}

/** The end of every refusal: what goes on being served. */
export function keeping(previous: Generation | undefined): string {
  if (!previous) return "no identity to keep yet";
  return `keeping generation ${previous.number} (expires ${previous.notAfter.toISOString()})`;
}

function refused({ code, message, retryAt }: Problem, previous: Generation | undefined): GateRefusal {
  const timeDependent = code === "expired" || code === "not_yet_valid" || code === "crl_expired" || !!retryAt;
  return { ok: false, code, message: `${message}; ${keeping(previous)}`, timeDependent, retryAt };
}

function checkValidity({ leaf, chain }: CheckedIdentity, now: Date): Problem | undefined {
  const served = [leaf, ...chain];
  const expired = served.find((certificate) => now > certificate.notAfter);
  if (expired) {
    return problem(
      "expired",
      `certificate ${describe(expired)} expired at ${expired.notAfter.toISOString()}`,
    );
  }
  const early = served.find((certificate) => now < certificate.notBefore);
  if (!early) return undefined;
  const retryAt = new Date(Math.max(...served.map((certificate) => certificate.notBefore.getTime())));
  const from = early.notBefore.toISOString();
  return problem("not_yet_valid", `certificate ${describe(early)} is not valid before ${from}`, retryAt);
}

function checkPath(identity: CheckedIdentity, names: MaterialNames, now: Date): Problem | undefined {
  const { leaf, chain, trust, crls } = identity;
  const result = validatePath(leaf, trust, {
    now,
    purpose: "any",
    intermediates: chain,
    ...(crls.length > 0 && { crls }),
  });
  if (result.ok) return undefined;
  return problem(
    refusalOf(result.code),
    `${names.certificate} does not verify to ${names.trust}: ${result.message}`,
  );
}

function refusalOf(code: PathFailureCode): RefusalCode {
  switch (code) {
    case "expired":
    case "not_yet_valid":
    case "crl_missing":
    case "crl_expired":
      return code;
    default:
      return "unverified_chain";
  }
}

function checkAnnounced(
  material: IdentityMaterial,
  announcements: Announcements | undefined,
): Problem | undefined {
  const objection = announcements?.objection(material);
  return objection === undefined ? undefined : problem("not_announced", objection);
}

function checkNames({ leaf }: CheckedIdentity, previous: Generation | undefined): Problem | undefined {
  if (!previous) return undefined;
  const before = identityNames(previous.leaf);
  const after = identityNames(leaf);
  if (before.length === after.length && before.every((name, index) => name === after[index]))
    return undefined;
  return problem("identity_changed", `identity changed from ${before.join(", ")} to ${after.join(", ")}`);
}
