import type { KubeObject, Lease, Secret } from "@newleaf/kube";
import {
  type Certificate,
  createTrustBundle,
  encodeCertificates,
  parseCertificates,
  type TrustBundle,
  validatePath,
} from "@newleaf/x509";
import type { AnnotationNames } from "./annotations.ts";
import {
  type AuthorityState,
  isOwnAuthority,
  type ParsedAuthorityState,
  readAuthorityState,
  trustOf,
} from "./authority-state.ts";
import { type BundleTarget, bundledCertificates, encodeBundle, hasBundle, targetKey } from "./ca-bundle.ts";
import { sha256Hex } from "./lease-announcement.ts";
import type { Replica } from "./replica.ts";
import { readServing, type ServingNames, type StoredCertificate, secretText } from "./serving-certificate.ts";

/** What a leader has seen of the world, at one moment. */
export interface Observation {
  readonly authority: Secret | undefined;
  readonly serving: Secret | undefined;
  readonly lease: Lease | undefined;
  readonly targets: readonly ObservedTarget[];
  /** Undefined where replicas are not followed. */
  readonly replicas: readonly Replica[] | undefined;
  /** Targets whose last patch failed, by key: not tried again for the moment. */
  readonly blocked: ReadonlySet<string>;
  /** SHA-256 of `tls.crt` that a replica, by uid, was proved to serve. */
  readonly proved: ReadonlyMap<string, string>;
  /** The trust that every target has carried without a break, by the hash of its PEM, and for how long. */
  readonly published: { readonly caHash: string; readonly forMs: number } | undefined;
}

export interface ObservedTarget {
  readonly target: BundleTarget;
  /** Undefined where there is none: nobody calls the webhook through it. */
  readonly object: KubeObject | undefined;
}

/** How a leader wants it to be. */
export interface LeaderPolicy {
  /** Of the serving Secret and the serving Lease. */
  readonly name: string;
  readonly identity: string;
  /** Of this leader and this term alone. */
  readonly token: string;
  readonly names: AnnotationNames;
  readonly serving: ServingNames;
  readonly leafLifeMs: number;
  readonly authorityLifeMs: number;
  readonly backdateMs: number;
  /** How long API servers may go on using a caBundle that has been replaced. */
  readonly settleMs: number;
  /** Whether a handshake has to show what a replica acknowledges. */
  readonly prove: boolean;
}

/** An observation, read. */
export interface Findings {
  readonly observed: Observation;
  readonly policy: LeaderPolicy;
  readonly now: number;
  readonly state: ParsedAuthorityState;
  readonly trust: TrustBundle;
  readonly bundle: string;
  readonly caPem: string;
  readonly caHash: string;
  readonly stored: StoredCertificate | undefined;
  /** Whether every target carries the bundle. */
  readonly isPublished: boolean;
}

const NOTHING: ParsedAuthorityState = {
  signer: undefined,
  next: undefined,
  previous: [],
  rollover: undefined,
  damage: [],
};

/** Parses what was seen. An authority that has expired counts as none, an old one only when no clock can doubt it. */
export function readObservation(observed: Observation, policy: LeaderPolicy, now: number): Findings {
  const { authority, serving } = observed;
  const state = withoutExpired(
    authority ? readAuthorityState(authority, policy.names) : NOTHING,
    now,
    policy,
  );
  const trust = trustOf(state);
  const bundle = encodeBundle(trust);
  const caPem = encodeCertificates(trust.certificates);
  return {
    observed,
    policy,
    now,
    state,
    trust,
    bundle,
    caPem,
    caHash: sha256Hex(caPem),
    stored: serving && readServing(serving),
    isPublished: observed.targets.every(
      ({ target, object }) => object === undefined || hasBundle(target, object, bundle),
    ),
  };
}

/**
 * Certificates of authorities that must stay trusted although their keys are lost, because leaves of theirs may be in
 * use: what the CA Secret still shows, what the serving Secret trusts, and our own in the caBundles.
 */
export function salvageAuthorities({ observed, policy, state, now }: Findings): readonly Certificate[] {
  const present = [state.signer, state.next].map((authority) => authority?.certificate.sha256);
  return createTrustBundle([
    ...state.previous,
    ...servingAuthorities(observed.serving),
    ...bundledAuthorities(observed).filter((found) => isOwnAuthority(found, policy.name)),
  ]).certificates.filter(({ notAfter, sha256 }) => now < notAfter.getTime() && !present.includes(sha256));
}

/**
 * Whether the CA Secret has lost an authority that it never dropped, as when it is restored from a backup: one that is
 * handed out beside the certificate and is in caBundles. After a drop that is no wonder, but then it is not that of the
 * certificate.
 */
export function isForgetful({ observed, state, trust, stored, now }: Findings): boolean {
  const unknown = servingAuthorities(observed.serving).filter(
    (found) => !trust.has(found) && now < found.notAfter.getTime(),
  );
  if (unknown.length === 0) return false;
  const bundled = createTrustBundle(bundledAuthorities(observed));
  const lost = unknown.filter((found) => bundled.has(found));
  if (lost.length === 0) return false;
  return state.rollover?.droppedAt === undefined || isIssuedBy(stored, createTrustBundle(lost));
}

/** Whether the authority is among those that are handed out beside the certificate: everybody has come to trust it. */
export function isHandedOut({ observed }: Findings, { sha256 }: Certificate): boolean {
  return servingAuthorities(observed.serving).some((found) => found.sha256 === sha256);
}

/** What the serving Lease has to say. */
export function leaseAnnotations(
  stored: StoredCertificate,
  leaf: Certificate,
  { names, token }: LeaderPolicy,
): Record<string, string> {
  return {
    [names.certReady]: "true",
    [names.certHash]: stored.certHash,
    [names.certValidUntil]: leaf.notAfter.toISOString(),
    [names.caHash]: stored.caHash,
    [names.leader]: token,
  };
}

/** Keys of targets that do not carry the bundle. */
export function unpublishedTargets({ observed, bundle }: Findings): readonly string[] {
  return observed.targets.flatMap(({ target, object }) =>
    object && !hasBundle(target, object, bundle) ? [targetKey(target)] : [],
  );
}

function isIssuedBy(stored: StoredCertificate | undefined, trust: TrustBundle): boolean {
  if (!stored?.leaf) return false;
  const { leaf, chain } = stored;
  const path = { now: leaf.notBefore, purpose: "serverAuth", intermediates: chain } as const;
  return validatePath(leaf, trust, path).ok;
}

function bundledAuthorities({ targets }: Observation): readonly Certificate[] {
  return targets.flatMap(({ target, object }) => (object ? bundledCertificates(target, object) : []));
}

function servingAuthorities(serving: Secret | undefined): readonly Certificate[] {
  try {
    return parseCertificates(secretText(serving, "ca.crt"));
  } catch {
    return [];
  }
}

/** Old authorities stay for as long as a leader's clock may be ahead: certificates of theirs may still be good. */
function withoutExpired<S extends AuthorityState>(state: S, now: number, { backdateMs }: LeaderPolicy): S {
  const lives = ({ notAfter }: Certificate, allowanceMs = 0): boolean =>
    now < notAfter.getTime() + allowanceMs;
  const { signer, next, previous } = state;
  return {
    ...state,
    signer: signer && lives(signer.certificate) ? signer : undefined,
    next: next && lives(next.certificate) ? next : undefined,
    previous: previous.filter((authority) => lives(authority, backdateMs)),
  };
}
