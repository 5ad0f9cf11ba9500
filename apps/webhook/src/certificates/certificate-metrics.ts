import type { Health, Metrics } from "@newleaf/daemon";
import type { FollowerStatus } from "@newleaf/webhook";
import type { Candidate } from "./candidate.ts";

/** Shows who leads, and what the leader is at. Readiness lists it and never depends on it. */
export function showCandidate(candidate: Candidate, metrics: Metrics, health: Health): void {
  metrics.gauge({
    name: "newleaf_webhook_leader",
    help: "1 while this replica is elected to keep the certificate",
    collect() {
      this.set(candidate.standing().leads ? 1 : 0);
    },
  });
  metrics.gauge({
    name: "newleaf_webhook_leader_state",
    help: "What the leader is at: writing, renewal (at rest), or what it waits for; on the leader alone",
    labelNames: ["state"],
    collect() {
      this.reset();
      const { status } = candidate.standing();
      if (status) this.set({ state: status.doing }, 1);
    },
  });
  metrics.gauge({
    name: "newleaf_webhook_rollover",
    help: "1 for the stage of the CA rollover under way: trust, leaf, drop; on the leader alone",
    labelNames: ["stage"],
    collect() {
      this.reset();
      const { status } = candidate.standing();
      if (!status) return;
      for (const stage of ["trust", "leaf", "drop"] as const) this.set({ stage }, 0);
      const stage = stageOf(status.rollover);
      if (stage) this.set({ stage }, 1);
    },
  });
  health.addReadiness("leadership", () => {
    const { leads, leader, term, status } = candidate.standing();
    return {
      ok: true,
      details: {
        leads,
        ...(leader === undefined ? {} : { leader }),
        ...(leads ? { term } : {}),
        ...(status === undefined
          ? {}
          : { doing: status.doing, why: status.why, pending: status.pending, since: status.since }),
        ...(status?.rollover === undefined ? {} : { rollover: status.rollover }),
      },
    };
  });
}

/** Shows whether this replica has what the Lease announces. Readiness lists it and never depends on it. */
export function showFollower(
  status: () => FollowerStatus | undefined,
  metrics: Metrics,
  health: Health,
): void {
  metrics.gauge({
    name: "newleaf_webhook_certificate_behind",
    help: "1 while the Lease announces another certificate or trust than this replica has loaded",
    collect() {
      this.set(status()?.behind ? 1 : 0);
    },
  });
  metrics.gauge({
    name: "newleaf_webhook_lease_watch_age_seconds",
    help: "Since the API server last said something of the serving Lease; idle, it does about once a minute",
    collect() {
      const ageMs = status()?.lease.ageMs ?? Number.POSITIVE_INFINITY;
      this.set(ageMs / 1_000);
    },
  });
  health.addReadiness("lease", () => {
    const now = status();
    if (!now) return { ok: true };
    const { lease, announced, loaded, behind, waitingFor } = now;
    const ageSeconds = Number.isFinite(lease.ageMs) ? Math.round(lease.ageMs / 1_000) : undefined;
    const watch = { synced: lease.synced, watching: lease.watching, ageSeconds };
    return { ok: true, details: { watch, announced, loaded, behind, ...(waitingFor && { waitingFor }) } };
  });
}

function stageOf(
  rollover: NonNullable<ReturnType<Candidate["standing"]>["status"]>["rollover"],
): "trust" | "leaf" | "drop" | undefined {
  if (!rollover) return undefined;
  if (rollover.droppedAt !== undefined) return "drop";
  return rollover.switchedAt === undefined ? "trust" : "leaf";
}
