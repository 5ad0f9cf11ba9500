import { describePermission, type Permission } from "@newleaf/webhook";
import type { ReplicaFacts, WebhookFacts } from "../webhook-facts.ts";
import { shellWord } from "./remedies.ts";
import { canI, listOf, podLogs } from "./webhook-words.ts";
import { rounded } from "./words.ts";

/** Whether somebody is elected, and if not, why and what mends it. */
export type LeadershipState =
  | { readonly state: "led"; readonly holder: string }
  | { readonly state: "none"; readonly why: string; readonly remedy: string; readonly command: string }
  | { readonly state: "unknown" };

/** By the Lease's own duration, unless it was seen to be renewed: clocks may be apart. */
export function leadershipOf(facts: WebhookFacts, now: Date): LeadershipState {
  const { election } = facts;
  if (election === "unknown") return { state: "unknown" };
  if (election !== "missing" && election.holder !== "") {
    const overMs = now.getTime() - (election.renewedAt?.getTime() ?? 0) - election.durationMs;
    if (overMs <= 0 || election.renewedMeanwhile) return { state: "led", holder: election.holder };
    const since = election.renewedAt
      ? `for ${rounded(now.getTime() - election.renewedAt.getTime())}`
      : "ever";
    return none(
      facts,
      `replica ${election.holder} was elected and has not renewed its Lease ${since}, of ${rounded(election.durationMs)} that it holds`,
    );
  }
  return none(
    facts,
    election === "missing"
      ? `nobody has ever been elected: there is no Lease ${facts.name}-leader`
      : `the last leader has released the Lease ${facts.name}-leader, and nobody has taken it`,
  );
}

/** Rules without which nobody is elected, or the elected one cannot write. */
export function missingForLeaders(
  facts: WebhookFacts,
): readonly { readonly user: string; readonly permission: Permission }[] {
  const names = [facts.name, `${facts.name}-leader`, `${facts.name}-ca`];
  return facts.accounts.flatMap(({ user, missing }) =>
    missing.flatMap((permission) => {
      const { resource, name, verbs } = permission;
      const own = (resource === "leases" || resource === "secrets") && (!name || names.includes(name));
      return own && verbs.length > 0 ? [{ user, permission }] : [];
    }),
  );
}

function none(facts: WebhookFacts, seen: string): LeadershipState {
  const { replicas, selector, namespace, name } = facts;
  if (replicas !== "unknown") {
    if (replicas.length === 0) {
      return {
        state: "none",
        why: `${seen}; and no Pod matches ${selector}, so nobody stands for election`,
        remedy: "Start the webhook, or name its Pods with --selector.",
        command: `kubectl get deployments -n ${namespace} -l ${shellWord(selector)}`,
      };
    }
    if (!replicas.some(isRunning)) {
      return {
        state: "none",
        why: `${seen}; and none of its Pods runs: ${listOf(replicas.map(describeStop))}`,
        remedy:
          "A Pod that does not run stands for no election. What keeps it from running is in its events.",
        command: `kubectl describe pods -n ${namespace} -l ${shellWord(selector)}`,
      };
    }
  }
  const electing = missingForLeaders(facts).find(
    ({ permission }) => permission.name === `${name}-leader` || permission.verbs.includes("create"),
  );
  if (electing) {
    const { permission, user } = electing;
    return {
      state: "none",
      why: `${seen}; ${user} may not ${describePermission(permission)}`,
      remedy: "Allow it: nobody can be elected without.",
      command: canI(permission, user),
    };
  }
  return {
    state: "none",
    why: seen,
    remedy:
      "A candidate takes the Lease within seconds when it can reach the API server; its log says why not.",
    command: podLogs(facts, "lease|leader|election"),
  };
}

export function isRunning({ phase, waiting, leaving }: ReplicaFacts): boolean {
  return phase === "Running" && waiting === undefined && !leaving;
}

export function describeStop({ name, waiting, phase, leaving }: ReplicaFacts): string {
  return `${name} (${waiting ?? (leaving ? "terminating" : phase)})`;
}
