import type { Secret } from "@newleaf/kube";
import type { Generation } from "@newleaf/rotation";
import type { KubernetesApi } from "@newleaf/testing";
import { readServing } from "../../src/serving-certificate.ts";
import type { AdmissionCallers, EffectiveBundle } from "./admission-callers.ts";
import { MINUTE, NAME, type Plan, SECOND } from "./plan.ts";
import type { Scheduler } from "./scheduler.ts";
import { createServedTrust } from "./served-trust.ts";
import type { SimulatedCluster, SimulatedPod } from "./simulated-cluster.ts";

export interface WatchedAdmissionsOptions {
  readonly plan: Plan;
  readonly api: KubernetesApi;
  readonly scheduler: Scheduler;
  readonly cluster: SimulatedCluster;
  readonly callers: AdmissionCallers;
  readonly trueTime: () => number;
  readonly calmSince: () => number | undefined;
  readonly onViolation: (what: string) => void;
}

/**
 * No admission is refused for a certificate's sake: whatever a ready replica serves is verified by whatever any API
 * server trusts at that moment, names and true time included. Whenever either side changes all pairs are looked at, not
 * only those that happen to meet.
 *
 * A caBundle that somebody else has spoiled does not count until it is repaired; it must be soon, in calm. A
 * certificate may expire where nothing has been calm for long enough to renew it; it must be replaced soon, in calm.
 * What is issued when nothing works any more, after the one before expired, need not wait until everybody trusts it.
 */
export interface WatchedAdmissions {
  /** Looks only if what is served has changed. */
  settled(): void;
  check(): void;
  readonly leaves: number;
  /** Certificates that expired while nothing was calm. */
  readonly expired: number;
}

/** After the last disturbance: an election, a watch that backs off, a sync. */
export function recoveryMs({ election, syncMs }: Plan): number {
  return 2 * election.leaseDurationMs + 4 * election.retryPeriodMs + 2 * syncMs + 60 * SECOND;
}

/** A rollover that has only begun: where replicas do not say it on their Pods, kubelets sync when they like. */
export function rolloverMs(plan: Plan): number {
  return 3 * MINUTE + (plan.acknowledgement === "lease" ? 8 * plan.syncMs : 0);
}

export function watchAdmissions(options: WatchedAdmissionsOptions): WatchedAdmissions {
  const { plan, scheduler, cluster, callers, trueTime, onViolation } = options;
  const trust = createServedTrust();
  const served = new Map<string, Generation | undefined>();
  const desperate = watchDesperateIssues(options);
  const leaves = new Set<string>();
  const expired = new Set<string>();
  const spoiledSince = new Map<string, number>();
  const allowedMs = recoveryMs(plan);

  const calmFor = (since: number): number =>
    scheduler.now - Math.max(since, options.calmSince() ?? Number.POSITIVE_INFINITY);

  const meet = (pod: SimulatedPod, generation: Generation, caller: EffectiveBundle): void => {
    const refusal = trust.refusal(generation, caller, trueTime());
    if (!refusal || caller.spoiled) return;
    if (refusal.kind !== "expired") {
      if (isReady(pod, generation) && !desperate(generation.leaf.sha256))
        onViolation(`${caller.caller} refuses ${pod.name}: ${refusal.message}`);
      return;
    }
    const { notAfter, notBefore } = generation.leaf;
    const overdueMs = trueTime() - notAfter.getTime();
    const lifeMs = notAfter.getTime() - notBefore.getTime() - 10 * MINUTE;
    const renewedSince = scheduler.now - overdueMs - lifeMs / 3 + 2 * plan.skewMs;
    expired.add(`${pod.name} ${generation.leaf.sha256}`);
    if (calmFor(renewedSince) > allowedMs) onViolation(`${pod.name} serves what expired: ${refusal.message}`);
  };
  const check = (): void => {
    const { bundles } = callers;
    for (const pod of cluster.pods) {
      const generation = pod.replica?.served;
      if (!generation || pod.ending || !pod.reported) continue;
      for (const caller of bundles) meet(pod, generation, caller);
    }
    const { spoiled } = callers;
    for (const target of spoiledSince.keys()) if (!spoiled.includes(target)) spoiledSince.delete(target);
    for (const target of spoiled) {
      const since = spoiledSince.get(target) ?? scheduler.now;
      spoiledSince.set(target, since);
      if (calmFor(since) > allowedMs) onViolation(`${target} is not repaired`);
    }
  };
  /** By its own clock, as a readiness probe sees it. */
  const isReady = ({ replica }: SimulatedPod, { leaf }: Generation): boolean =>
    replica !== undefined && replica.process.clock.now() <= leaf.notAfter.getTime();

  return {
    check,
    settled() {
      let changed = false;
      for (const { name, replica } of cluster.pods) {
        const generation = replica?.served;
        if (served.get(name) === generation) continue;
        served.set(name, generation);
        changed = true;
        if (generation) leaves.add(generation.leaf.sha256);
      }
      if (changed) check();
    },
    get leaves() {
      return leaves.size;
    },
    get expired() {
      return expired.size;
    },
  };
}

/** Whether a certificate was issued for want of another that had not expired, by the clock of some leader, just now. */
function watchDesperateIssues({
  api,
  scheduler,
  plan,
  trueTime,
}: WatchedAdmissionsOptions): (leaf: string) => boolean {
  const until = new Map<string, number>();
  let last: { readonly sha256: string; readonly notAfter: Date } | undefined;
  api.store.table.subscribe("secrets", ({ object }) => {
    if (object.metadata.name !== NAME) return;
    const { leaf } = readServing(object as object as Secret);
    if (!leaf || leaf.sha256 === last?.sha256) return;
    if (last && trueTime() + plan.skewMs >= last.notAfter.getTime()) {
      until.set(leaf.sha256, scheduler.now + recoveryMs(plan));
    }
    last = leaf;
  });
  return (leaf) => scheduler.now < (until.get(leaf) ?? 0);
}
