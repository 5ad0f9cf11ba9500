import { describePermission, type Permission } from "@newleaf/webhook";
import type { Diagnosis } from "../diagnosis.ts";
import type { AnnouncementFacts, ReplicaFacts, WebhookFacts } from "../webhook-facts.ts";
import { nameOfCaller } from "./diagnose-webhook-callers.ts";
import { shellWord } from "./remedies.ts";
import { describeStop, isRunning } from "./webhook-leadership.ts";
import { canI, goodUntil, listOf, notice, servedUntil, short, wrong } from "./webhook-words.ts";
import { rounded } from "./words.ts";

/** A watch delivers within milliseconds; a Pod that has just started is given this long. */
const NOTICE_MS = 15_000;
/** Left to itself, a kubelet takes up to about 80 s. */
const SYNC_MS = 120_000;

/** Whether each replica runs, has noticed what is announced, and has loaded it. */
export function diagnoseReplicas(facts: WebhookFacts, now: Date): readonly Diagnosis[] {
  const replicas = facts.replicas === "unknown" ? [] : facts.replicas.filter(({ leaving }) => !leaving);
  return [
    ...unanswered(facts),
    ...replicas.flatMap((replica) => stopped(replica, facts) ?? []),
    ...watchForbidden(facts, now),
    ...replicas.flatMap((replica) => behind(replica, facts, now) ?? unmounted(replica, facts) ?? []),
  ];
}

/** Whether it is the rule that the watch of the Lease needs. */
export function isWatchRule({ name }: WebhookFacts, permission: Permission): boolean {
  const { resource, name: object, verbs } = permission;
  return (
    resource === "leases" && object === name && verbs.some((verb) => verb === "watch" || verb === "list")
  );
}

function unanswered(facts: WebhookFacts): readonly Diagnosis[] {
  const { replicas, callers, selector, namespace } = facts;
  if (replicas === "unknown" || callers.length === 0 || replicas.some(({ ready }) => ready)) return [];
  const refusing = callers.filter(
    ({ failurePolicy, kind }) => failurePolicy === "Fail" || !kind.endsWith("WebhookConfiguration"),
  );
  const what =
    refusing.length > 0
      ? `what ${listOf(refusing.map(nameOfCaller))} is about is refused (failurePolicy Fail)`
      : "everything is admitted unchecked (failurePolicy Ignore)";
  const which = replicas.length === 0 ? `no Pod matches ${selector}` : listOf(replicas.map(describeStop));
  return [
    {
      ...wrong(facts, "no_replica_ready", {
        message: `no replica is ready: ${which}. Until one is, ${what}`,
        remedy:
          refusing.length > 0
            ? "If its own Pods are among what it refuses, delete the configuration, let them start, and apply it again with a namespaceSelector that leaves their namespace out."
            : "Nothing fails for it.",
        command: `kubectl get pods -n ${namespace} -l ${shellWord(selector)}`,
      }),
      certificates: false,
    },
  ];
}

/** Exit code 1 about --cert-timeout after the start is what a replica does that never had a certificate. */
function stopped(replica: ReplicaFacts, facts: WebhookFacts): readonly Diagnosis[] | undefined {
  const { name, waiting, lastExit, certTimeoutMs, restarts } = replica;
  const ranMs = lastExit?.ranMs ?? 0;
  const inTime = ranMs >= certTimeoutMs * 0.95 && ranMs <= certTimeoutMs + 30_000;
  if (waiting === undefined && !(lastExit?.code === 1 && inTime && !replica.ready)) return undefined;
  if (lastExit?.code === 1 && inTime) {
    return [
      wrong(facts, "cert_timeout", {
        message: `Pod ${name} exits with code 1 after ${rounded(ranMs)} (${restarts} restarts): it has waited for a first certificate for --cert-timeout (${rounded(certTimeoutMs)})`,
        remedy:
          "Restarts mend nothing: what it waits for is in its last log line, and what keeps that away is said here too. With --on-cert-timeout wait it stays and waits.",
        command: `kubectl logs ${name} -n ${facts.namespace} --previous | grep -i 'timeout waiting'`,
      }),
    ];
  }
  if (waiting !== "CrashLoopBackOff" && lastExit === undefined) return undefined;
  return [
    {
      ...wrong(facts, "replica_crashes", {
        message: `Pod ${name} does not run: ${waiting ?? "it ended"}${lastExit ? `, exit code ${lastExit.code} after ${rounded(ranMs)}` : ""}. That is not how a missing certificate looks`,
        remedy: "Its log says why.",
        command: `kubectl logs ${name} -n ${facts.namespace} --previous`,
      }),
      certificates: false,
    },
  ];
}

/** The seed's "Watch creation failed", by RBAC. */
function watchForbidden(facts: WebhookFacts, now: Date): readonly Diagnosis[] {
  return facts.accounts.flatMap(({ user, missing }) =>
    missing.flatMap((permission) =>
      isWatchRule(facts, permission)
        ? [
            wrong(facts, "lease_watch_failing", {
              message: `replicas cannot follow the Lease: ${user} may not ${describePermission(permission)}. They learn of no certificate and no renewal. ${goodUntil(facts, now)}`,
              remedy:
                "Allow get, list and watch of this Lease by name; replicas try again by themselves, within half a minute.",
              command: canI({ ...permission, verbs: ["watch"] }, user),
            }),
          ]
        : [],
    ),
  );
}

function behind(replica: ReplicaFacts, facts: WebhookFacts, now: Date): readonly Diagnosis[] | undefined {
  const { lease } = facts;
  if (typeof lease === "string" || lease.certHash === undefined) return undefined;
  if (!isRunning(replica) || !replica.follows || replica.acknowledge === "none") return undefined;
  const hasCertificate = replica.certHash === lease.certHash;
  if (hasCertificate && (lease.caHash === undefined || replica.caHash === lease.caHash)) return undefined;
  if (isForbiddenToSay(replica, facts)) return [unheard(replica, facts)];
  const noticed = replica.expectedHash === lease.certHash || replica.acknowledge === "lease";
  const sinceMs = waitOf(replica, lease, now);
  return noticed ? [mismatch(replica, facts, sinceMs, now)] : unnoticed(replica, facts, sinceMs, now);
}

/** The seed's "Watch creation failed", by the network: it has not even said that it waits. */
function unnoticed(
  replica: ReplicaFacts,
  facts: WebhookFacts,
  sinceMs: number,
  now: Date,
): readonly Diagnosis[] | undefined {
  if (sinceMs < NOTICE_MS) return undefined;
  const { egressPolicies, accounts } = facts;
  if (accounts.some(({ missing }) => missing.some((permission) => isWatchRule(facts, permission)))) {
    return undefined;
  }
  const network =
    egressPolicies.length > 0
      ? `NetworkPolicy ${listOf(egressPolicies)} limits what it may connect to`
      : "no NetworkPolicy here limits it";
  const has = replica.certHash === undefined ? "nothing" : `certificate ${short(replica.certHash)}`;
  return [
    wrong(facts, "lease_watch_failing", {
      message: `Pod ${replica.name} has not noticed what Lease ${facts.name} announces, for ${rounded(sinceMs)}: it says on its Pod that it has ${has}, and waits for ${short(replica.expectedHash)}. Its watch does not work, or it cannot write to its Pod; ${network}. ${servedUntil(replica, facts, now)}`,
      remedy:
        "Let its Pods reach the API server (its address and port, not only the Service's); a watch is opened again within half a minute.",
      command: `kubectl logs ${replica.name} -n ${facts.namespace} | grep -iE 'watch|lease|report'`,
    }),
  ];
}

/** The seed's persistent hash mismatch. */
function mismatch(replica: ReplicaFacts, facts: WebhookFacts, sinceMs: number, now: Date): Diagnosis {
  const { name, node } = replica;
  const { lease } = facts;
  const wanted = typeof lease === "string" ? undefined : lease.certHash;
  const { why, remedy, command, certain } = causeOf(replica, facts);
  const asked =
    replica.syncAttempts > 0 ? `, and has asked the kubelet ${replica.syncAttempts} more times` : "";
  const said = {
    message: `Pod ${name}${node ? ` on ${node}` : ""} waits for certificate ${short(wanted)} since ${rounded(sinceMs)}${asked}; it has loaded ${short(replica.certHash)}: ${why}. ${servedUntil(replica, facts, now)}`,
    remedy,
    command,
  };
  return (certain || sinceMs >= SYNC_MS ? wrong : notice)(facts, "hash_mismatch_persists", said);
}

interface Cause {
  readonly why: string;
  readonly remedy: string;
  readonly command: string;
  /** Waiting does not mend it. */
  readonly certain: boolean;
}

function causeOf(replica: ReplicaFacts, facts: WebhookFacts): Cause {
  const { name, node, nodeReady, acknowledge } = replica;
  const { secret, lease, namespace } = facts;
  if (secret === "missing" || (typeof secret !== "string" && isOther(secret, lease))) {
    return {
      why: "it is not in the Secret either, so no kubelet can bring it",
      remedy: "See announced_not_stored or serving_secret_missing: the Secret has to be mended, not the Pod.",
      command: `kubectl get secret,lease ${facts.name} -n ${namespace} -o yaml --show-managed-fields`,
      certain: true,
    };
  }
  const mount = mountFault(replica, facts);
  if (mount) return { ...mount, certain: true };
  if (nodeReady === false) {
    return {
      why: `the kubelet of ${node} does not report to the API server, and does not sync either`,
      remedy: "Mend the node, or have the Pod run on another one.",
      command: `kubectl describe node ${node}`,
      certain: true,
    };
  }
  const slow =
    acknowledge === "lease"
      ? "it does not change its Pod (--acknowledge lease), so the kubelet syncs in its own time, up to about 80 s"
      : "the kubelet has not written the Secret into its volume; after a change of the Pod it does in 0.3 s";
  return {
    why: slow,
    remedy:
      "Look at the Pod's events (FailedMount) and the kubelet's log. Deleting the Pod makes the volume anew; --from-secret goes around the kubelet.",
    command: `kubectl delete pod ${name} -n ${namespace}`,
    certain: false,
  };
}

/** A mount by which no renewal will ever arrive; worth knowing before it is needed. */
function unmounted(replica: ReplicaFacts, facts: WebhookFacts): readonly Diagnosis[] | undefined {
  if (!isRunning(replica) || replica.acknowledge === "none") return undefined;
  const fault = mountFault(replica, facts);
  if (!fault || replica.mount === "none") return undefined;
  const { why, remedy, command } = fault;
  return [
    notice(facts, "hash_mismatch_persists", {
      message: `Pod ${replica.name} has what is announced, and will not get the next certificate: ${why}`,
      remedy,
      command,
    }),
  ];
}

function mountFault(
  { mount, fromSecret, name }: ReplicaFacts,
  { namespace, name: secret }: WebhookFacts,
): Omit<Cause, "certain"> | undefined {
  if (mount === "whole" || fromSecret) return undefined;
  const command = `kubectl get pod ${name} -n ${namespace} -o yaml`;
  if (mount === "subPath") {
    return {
      why: `it mounts Secret ${secret} with subPath, and such a mount is never updated`,
      remedy: "Mount the whole volume. `newleaf lint` finds this before it is applied.",
      command,
    };
  }
  return {
    why: `it does not mount Secret ${secret}, and is not told to read it from the API server`,
    remedy: "Mount the Secret and name the directory with --certs, or give --from-secret.",
    command,
  };
}

function isOther(
  { certHash, caHash }: { readonly certHash: string; readonly caHash: string },
  lease: WebhookFacts["lease"],
): boolean {
  if (typeof lease === "string") return false;
  return certHash !== lease.certHash || (lease.caHash !== undefined && lease.caHash !== caHash);
}

/** Nothing follows from the silence of those who may not speak. */
function isForbiddenToSay({ account }: ReplicaFacts, { accounts, namespace }: WebhookFacts): boolean {
  const own = accounts.find(({ user }) => user === `system:serviceaccount:${namespace}:${account}`);
  return (own?.missing ?? []).some(({ resource, verbs }) => resource === "pods" && verbs.includes("patch"));
}

function unheard({ name }: ReplicaFacts, facts: WebhookFacts): Diagnosis {
  return notice(facts, "hash_mismatch_persists", {
    message: `what Pod ${name} has loaded is not known, since it may not write to itself. For the same reason its kubelet syncs in its own time, up to about 80 s, and a rollover of the CA waits for it`,
    remedy: "Allow `patch` of pods, or run it with --acknowledge lease.",
  });
}

/** For how long at least: of a replica that starts, not longer than it runs. */
function waitOf({ startedAt }: ReplicaFacts, { changedAt }: AnnouncementFacts, now: Date): number {
  const since = Math.max(startedAt?.getTime() ?? 0, changedAt?.getTime() ?? 0);
  return since === 0 ? 0 : Math.max(0, now.getTime() - since);
}
