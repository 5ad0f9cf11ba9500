import type { Lease } from "kubernetes-types/coordination/v1.js";

/** Who claims a Lease, and for how long. */
export interface Claim {
  readonly identity: string;
  readonly durationMs: number;
  /** Wall clock; for people to read, never judged. */
  readonly now: number;
}

/** "" when nobody holds it. */
export function holderOf(lease: Lease | undefined): string {
  return lease?.spec?.holderIdentity ?? "";
}

/** How often the holder has changed: the number of the term. */
export function transitionsOf(lease: Lease): number {
  return lease.spec?.leaseTransitions ?? 0;
}

/** What of a Lease shows that its holder lives: a change of anything else, such as an annotation, does not. */
export function recordOf(lease: Lease): string {
  const { holderIdentity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions } = lease.spec ?? {};
  return JSON.stringify([holderIdentity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions]);
}

/**
 * The Lease renewed, or taken over from another or from nobody, in which case a new term begins. What else is in it
 * stays, `metadata.resourceVersion` too, so that writing it fails when anything changed since.
 */
export function claimed(lease: Lease, claim: Claim): Lease {
  const isHolder = holderOf(lease) === claim.identity;
  const now = microTime(claim.now);
  return {
    ...lease,
    spec: {
      ...lease.spec,
      holderIdentity: claim.identity,
      // Whole seconds on the wire; rounding up makes others wait longer, never shorter.
      leaseDurationSeconds: Math.ceil(claim.durationMs / 1000),
      acquireTime: (isHolder ? lease.spec?.acquireTime : undefined) ?? now,
      // A write that changes nothing shows others no life, and a wall clock may stand still or repeat itself.
      renewTime: lease.spec?.renewTime === now ? microTime(claim.now, 1) : now,
      leaseTransitions: transitionsOf(lease) + (isHolder ? 0 : 1),
    },
  };
}

/** A Lease that does not exist. Terms go on from the one that was deleted, as far as anyone remembers it. */
export function firstClaimed(
  metadata: { readonly name: string; readonly namespace: string },
  claim: Claim,
  deleted: Lease | undefined,
): Lease {
  const lease: Lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata };
  const leaseTransitions = deleted === undefined ? 0 : transitionsOf(deleted) + 1;
  return { ...lease, spec: { ...claimed(lease, claim).spec, leaseTransitions } };
}

/** The Lease held by nobody, free to be taken at once. */
export function released(lease: Lease, now: number): Lease {
  const time = microTime(now);
  return {
    ...lease,
    spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, acquireTime: time, renewTime: time },
  };
}

/** meta/v1 MicroTime: exactly six digits. */
function microTime(ms: number, micros = 0): string {
  return new Date(ms).toISOString().replace("Z", `${String(micros).padStart(3, "0")}Z`);
}
