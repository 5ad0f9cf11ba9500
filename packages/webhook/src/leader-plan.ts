import { createTrustBundle } from "@newleaf/x509";
import { hasBundle, targetKey } from "./ca-bundle.ts";
import { momentOfLife, renewalTime } from "./certificate-life.ts";
import {
  type Findings,
  isForgetful,
  isHandedOut,
  leaseAnnotations,
  salvageAuthorities,
  unpublishedTargets,
} from "./leader-observation.ts";
import type {
  AuthorityChange,
  LeaderStep,
  LeaderWait,
  LeaderWaitReason,
  LeaderWrite,
} from "./leader-step.ts";
import type { Replica } from "./replica.ts";
import { objectionTo } from "./serving-certificate.ts";

/** A certificate that nobody can renew is given up on its replicas' word in this last part of its life. */
const LAST_PART = 0.9;

/**
 * The next step from whatever state the API is in. Pure, and without memory: any leader goes on where another left
 * off, after any write. The order keeps this true at every moment: whatever certificate may be served, every caBundle
 * has its authority.
 */
export function planLeader(found: Findings): LeaderStep {
  return (
    planFence(found) ??
    planAuthority(found) ??
    planBundles(found) ??
    planServing(found) ??
    planLease(found) ??
    planRollover(found) ??
    rest(found)
  );
}

/** A write of the leader before this one may still be on its way: it must meet a newer version than it has read. */
function planFence({ observed, policy }: Findings): LeaderWrite | undefined {
  for (const object of ["authority", "serving", "lease"] as const) {
    const { metadata } = observed[object] ?? {};
    if (metadata && metadata.annotations?.[policy.names.leader] !== policy.token) {
      return { write: "fence", object, why: "a new leader begins" };
    }
  }
  return undefined;
}

function planAuthority(found: Findings): LeaderWrite | undefined {
  const { state, observed } = found;
  if (!state.signer && !state.next) {
    const previous = salvageAuthorities(found);
    const why = observed.authority
      ? "the CA Secret holds no authority that can sign"
      : "there is no CA Secret";
    const change: AuthorityChange = previous.length > 0 ? { to: "restore", previous } : { to: "create" };
    return { write: "authority", change, why, confirm: false };
  }
  const forgetful = isForgetful(found);
  if (state.damage.length === 0 && !forgetful) return undefined;
  const previous = salvageAuthorities(found);
  const why = [...state.damage, ...(forgetful ? ["an authority that is in use is missing"] : [])].join("; ");
  // One that came with the change need not be trusted: it must not sign, and is of no more use than a new one.
  const isStranger =
    forgetful &&
    (state.rollover?.droppedAt !== undefined ||
      (state.signer !== undefined && !isHandedOut(found, state.signer.certificate)));
  const change: AuthorityChange = { to: isStranger ? "restore" : "repair", previous };
  return { write: "authority", change, why, confirm: false };
}

function planBundles({ observed, bundle }: Findings): LeaderWrite | undefined {
  for (const observedTarget of observed.targets) {
    const { target, object } = observedTarget;
    if (!object || hasBundle(target, object, bundle) || observed.blocked.has(targetKey(target))) continue;
    return { write: "bundle", target: observedTarget, why: "its caBundle is not the trust of the webhook" };
  }
  return undefined;
}

function planServing(found: Findings): LeaderStep | undefined {
  const { stored, state, caHash } = found;
  const objection = leafObjection(found);
  if (state.signer && (objection !== undefined || isRenewalDue(found))) {
    const why = objection ?? "two thirds of its life have passed";
    // Nobody serves anything yet, so nothing is lost by waiting until everybody trusts what will be served.
    if (!stored?.leaf && !found.observed.lease?.metadata?.annotations?.[found.policy.names.certHash]) {
      const wait = waitForTrust(found);
      if (wait) return wait;
      return { write: "serving", issue: true, why, confirm: true };
    }
    // Its issuer is trusted, only it does not sign any more: no hurry, and the one that does may have come back from
    // a backup, after everybody has let go of it.
    if (objection !== undefined && isTrusted(found) && !isInLastPart(found)) {
      const wait = waitForTrust(found);
      if (wait) return wait;
    }
    return { write: "serving", issue: true, why, confirm: false };
  }
  if (objection !== undefined || stored?.caHash === caHash) return undefined;
  return {
    write: "serving",
    issue: false,
    why: "its ca.crt is not the trust of the webhook",
    confirm: false,
  };
}

function planLease(found: Findings): LeaderWrite | undefined {
  const { stored, observed, policy } = found;
  if (!stored?.leaf || leafObjection(found) !== undefined) return undefined;
  const { metadata, spec } = observed.lease ?? {};
  const wanted = Object.entries(leaseAnnotations(stored, stored.leaf, policy));
  const says = wanted.every(([name, value]) => metadata?.annotations?.[name] === value);
  if (says && spec?.holderIdentity === policy.identity) return undefined;
  return { write: "lease", why: "the Lease does not announce the certificate that is stored" };
}

function planRollover(found: Findings): LeaderStep | undefined {
  const { state, observed, policy, now } = found;
  if (state.next) return planSwitch(found);
  if (state.previous.length > 0) return planDrop(found);
  if (state.rollover) return planRetire(found);
  const requested = observed.authority?.metadata?.annotations?.[policy.names.rolloverRequested] !== undefined;
  const due = state.signer && now >= renewalTime(state.signer.certificate, policy.backdateMs);
  if (!requested && !due) return undefined;
  const reason = requested ? "requested" : "due";
  return {
    write: "authority",
    change: { to: "start", reason },
    why: requested ? "a rollover was asked for" : "two thirds of the authority's life have passed",
    confirm: false,
  };
}

/** Old and new are handed out; the new one signs once everybody trusts it. */
function planSwitch(found: Findings): LeaderStep {
  const { stored, caHash } = found;
  const alive = leafObjection(found) === undefined;
  const why = alive ? "everybody trusts the next authority" : "there is no certificate that could be lost";
  const doSwitch: LeaderWrite = {
    write: "authority",
    change: { to: "switch", oldLeafUntil: alive ? stored?.leaf?.notAfter.toISOString() : undefined },
    why,
    confirm: true,
  };
  // With nothing left that works, targets that cannot be written must not keep the others from working.
  if (!alive && everyOpenTargetIsBlocked(found)) return doSwitch;
  const wait = waitForTrust(found);
  if (wait) return wait;
  const pending = waitingReplicas(found, (replica) => replica.caHash === caHash);
  if (pending.length === 0 || !alive || isCornered(found)) return doSwitch;
  return waiting(found, "acknowledged", "replicas have not loaded the trust in both authorities", {
    pending,
  });
}

/** The new authority signs; the old one goes once none of its certificates is served any more. */
function planDrop(found: Findings): LeaderStep {
  const { state, stored, observed, policy, now } = found;
  const drop = (why: string): LeaderWrite => ({
    write: "authority",
    change: { to: "drop" },
    why,
    confirm: true,
  });
  const oldLeafUntil = Date.parse(state.rollover?.oldLeafUntil ?? "");
  const until = Number.isNaN(oldLeafUntil) ? undefined : oldLeafUntil + policy.backdateMs;
  if (until !== undefined && now > until) return drop("all certificates of the old authority have expired");
  if (!observed.replicas) return waiting(found, "expired", "old certificates may still be served", { until });
  const certHash = stored?.certHash;
  const silent = waitingReplicas(found, (replica) => replica.certHash === certHash);
  const unproved = waitingReplicas(
    found,
    ({ uid }) => !policy.prove || observed.proved.get(uid) === certHash,
  );
  if (silent.length > 0 || unproved.length > 0) {
    const pending = [...new Set([...silent, ...unproved])];
    const toProve = observed.replicas.filter(({ name }) => unproved.includes(name) && !silent.includes(name));
    return waiting(found, "proved", "replicas are not seen to serve the new certificate", {
      pending,
      toProve,
      until,
    });
  }
  return drop("every replica serves a certificate of the new authority");
}

function planRetire(found: Findings): LeaderStep {
  const { caHash, policy, state, now } = found;
  const retire: LeaderWrite = {
    write: "authority",
    change: { to: "retire" },
    why: "every replica has let go of the old authority",
    confirm: false,
  };
  const pending = waitingReplicas(found, (replica) => replica.caHash === caHash);
  const until = Date.parse(state.rollover?.droppedAt ?? "") + policy.leafLifeMs;
  if (pending.length === 0 || !(now < until)) return retire;
  return waiting(found, "retired", "replicas still have the old trust", { pending, until });
}

function rest(found: Findings): LeaderWait {
  const unpublished = unpublishedTargets(found);
  if (unpublished.length > 0) {
    return waiting(found, "published", "caBundles could not be written", { pending: unpublished });
  }
  return waiting(found, "renewal", "all is well");
}

/** Until every target carries the trust, and API servers have had the time to notice. */
function waitForTrust(found: Findings): LeaderWait | undefined {
  const { isPublished, observed, caHash, policy } = found;
  if (!isPublished) {
    const pending = unpublishedTargets(found);
    return waiting(found, "published", "caBundles could not be written", { pending });
  }
  if (observed.targets.every(({ object }) => object === undefined)) return undefined;
  const { published } = observed;
  const left = policy.settleMs - (published?.caHash === caHash ? published.forMs : 0);
  if (left <= 0) return undefined;
  return waiting(found, "settled", "API servers may not have seen the new caBundles", { forMs: left });
}

/** Why the stored certificate cannot stay, undefined if it can. Once another authority signs, it must have signed it. */
function leafObjection({ stored, state, trust, policy, now }: Findings): string | undefined {
  if (!stored) return "there is no serving Secret";
  const signers = state.signer ? createTrustBundle([state.signer.certificate]) : trust;
  return objectionTo(stored, { trust: signers, names: policy.serving, now });
}

/** Whether the stored certificate can be served, whoever has issued it. */
function isTrusted({ stored, trust, policy, now }: Findings): boolean {
  return stored !== undefined && objectionTo(stored, { trust, names: policy.serving, now }) === undefined;
}

/** Due, and the new one would last longer: not so when the authority itself is about to end. */
function isRenewalDue({ stored, state, policy, now }: Findings): boolean {
  if (!stored?.leaf || !state.signer) return false;
  const end = Math.min(now + policy.leafLifeMs, state.signer.certificate.notAfter.getTime());
  return now >= renewalTime(stored.leaf, policy.backdateMs) && end > stored.leaf.notAfter.getTime();
}

/** The certificate nears its end and nobody can renew it but the next authority. */
function isCornered(found: Findings): boolean {
  return isInLastPart(found) && !isRenewalDue(found);
}

function isInLastPart({ stored, policy, now }: Findings): boolean {
  return !!stored?.leaf && now >= momentOfLife(stored.leaf, policy.backdateMs, LAST_PART);
}

function everyOpenTargetIsBlocked(found: Findings): boolean {
  const open = unpublishedTargets(found);
  return open.length > 0 && open.every((key) => found.observed.blocked.has(key));
}

function waitingReplicas({ observed }: Findings, isDone: (replica: Replica) => boolean): readonly string[] {
  return (observed.replicas ?? []).filter((replica) => !isDone(replica)).map(({ name }) => name);
}

function waiting(
  found: Findings,
  waitingFor: LeaderWaitReason,
  why: string,
  more: Partial<Pick<LeaderWait, "until" | "forMs" | "pending" | "toProve">> = {},
): LeaderWait {
  const instants = [more.until ?? Number.NaN, ...turningPoints(found)];
  const until = Math.min(...instants.filter((at) => at > found.now));
  return {
    write: undefined,
    waitingFor,
    why,
    until: Number.isFinite(until) ? until : undefined,
    forMs: more.forMs,
    pending: more.pending ?? [],
    toProve: more.toProve ?? [],
  };
}

/** When time alone may lead to another step. */
function turningPoints({ stored, state, policy }: Findings): readonly number[] {
  const { backdateMs } = policy;
  const points = state.previous.map(({ notAfter }) => notAfter.getTime());
  if (state.signer) points.push(renewalTime(state.signer.certificate, backdateMs));
  if (!stored?.leaf) return points;
  const end = stored.leaf.notAfter.getTime();
  return [
    ...points,
    renewalTime(stored.leaf, backdateMs),
    momentOfLife(stored.leaf, backdateMs, LAST_PART),
    end,
  ];
}
