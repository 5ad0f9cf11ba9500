import { describePermission } from "@newleaf/webhook";
import type { Certificate } from "@newleaf/x509";
import type { Diagnosis } from "../diagnosis.ts";
import type { WebhookFacts } from "../webhook-facts.ts";
import { lacksTrust, nameOfCaller } from "./diagnose-webhook-callers.ts";
import { leadershipOf, missingForLeaders } from "./webhook-leadership.ts";
import { canI, describeWriters, goodUntil, listOf, notice, podLogs, short, wrong } from "./webhook-words.ts";
import { moment, relative, serial } from "./words.ts";

/** A leader writes what follows from each other within this time. */
const SETTLED_MS = 10_000;
/** Renewal is due after two thirds of a life, so later than this it is late. */
const OVERDUE_SHARE = 0.75;

/** Whether there is a certificate, it is the announced one, and somebody renews it. */
export function diagnoseIssuing(facts: WebhookFacts, now: Date): readonly Diagnosis[] {
  const { lease, secret } = facts;
  const neverIssued =
    secret !== "unknown" &&
    (secret === "missing" || !secret.leaf) &&
    (lease === "missing" || (lease !== "unknown" && lease.certHash === undefined));
  if (neverIssued) return [nothingIssued(facts, now)];
  const leadership = leadershipOf(facts, now);
  return [
    ...(leadership.state === "none"
      ? [
          wrong(facts, "no_leader", {
            message: `${leadership.why}. ${goodUntil(facts, now)}; until somebody is elected, nothing is renewed or repaired`,
            remedy: leadership.remedy,
            command: leadership.command,
          }),
        ]
      : []),
    ...twoLeaders(facts, now),
    ...storedTrouble(facts, now),
    ...announcementTrouble(facts, now),
  ];
}

/** The seed's "Timeout waiting for webhook certificates". */
function nothingIssued(facts: WebhookFacts, now: Date): Diagnosis {
  const { name, secret, callers } = facts;
  const never = `no certificate has ever been issued: Lease ${name} announces none and Secret ${name} holds none`;
  const consequence = "Replicas wait for it for --cert-timeout, and then exit with code 1";
  const say = (why: string, remedy: string, command: string): Diagnosis =>
    wrong(facts, "certificates_never_issued", {
      message: `${never}, because ${why}. ${consequence}`,
      remedy,
      command,
    });
  const leadership = leadershipOf(facts, now);
  if (leadership.state === "none") return say(leadership.why, leadership.remedy, leadership.command);
  const leader = leadership.state === "led" ? `the leader (${leadership.holder})` : "the leader";
  const [refused] = missingForLeaders(facts);
  if (refused) {
    const { permission, user } = refused;
    return say(
      `${leader} cannot write: ${user} may not ${describePermission(permission)}`,
      "Allow it; the leader tries again by itself.",
      canI(permission, user),
    );
  }
  if (typeof secret !== "string" && secret.immutable) {
    return say(
      `Secret ${name} is immutable`,
      "Delete it; the leader makes it anew.",
      `kubectl delete secret ${name} -n ${facts.namespace}`,
    );
  }
  const unpublished = callers.filter((caller) => lacksTrust(caller, facts));
  const [caller] = unpublished;
  if (caller) {
    return say(
      `${leader} first has to put its CA into every caBundle that it keeps, and it is not in ${listOf(unpublished.map(nameOfCaller))}`,
      "The leader's log says what its patch was answered; often a rule for this object is missing.",
      podLogs(facts, "caBundle|RBAC|write failed"),
    );
  }
  return say(
    `${leader} holds its Lease and has not written yet`,
    "A first issue takes about 5 s (--settle). If it lasts, the leader's log says what it waits for.",
    podLogs(facts, "write failed|held up|certificate"),
  );
}

/** Of what is fenced by different leaders, somebody must have written without being elected, or not begun. */
function twoLeaders(facts: WebhookFacts, now: Date): readonly Diagnosis[] {
  const { election, lease, secret, authority, name } = facts;
  const found: Diagnosis[] = [];
  if (typeof lease !== "string" && lease.otherWriters.length > 0) {
    found.push(
      wrong(facts, "two_leaders", {
        message: `the hash in Lease ${name} was written by ${describeWriters(lease.otherWriters, now)}, which is no leader of this webhook: two programs announce certificates in one Lease`,
        remedy: "Stop the other one, or give it another name; a leader puts its own announcement back.",
        command: `kubectl get lease ${name} -n ${facts.namespace} -o yaml --show-managed-fields`,
      }),
    );
  }
  const holders = [lease, secret, authority].flatMap((it) =>
    typeof it !== "string" && it.writtenFor !== undefined ? [it.writtenFor] : [],
  );
  const writers = new Set(holders);
  if (typeof election === "string" || election.holder === "" || writers.size === 0) return found;
  const settled = !election.acquiredAt || now.getTime() - election.acquiredAt.getTime() > SETTLED_MS;
  if (!settled || (writers.size === 1 && writers.has(election.holder))) return found;
  if (leadershipOf(facts, now).state !== "led") return found;
  const others = [...writers].filter((writer) => writer !== election.holder);
  return [
    ...found,
    wrong(facts, "two_leaders", {
      message: `replica ${election.holder} is elected${election.acquiredAt ? ` since ${moment(election.acquiredAt, now)}` : ""}, and ${others.join(" and ")} has written last: the elected one has not begun, or another one has not stopped. Neither can overwrite the other unseen: each write holds for one version only`,
      remedy:
        "Look at the logs of both. Two candidates of one name, such as Pods of two Deployments with one --pod, are not allowed.",
      command: podLogs(facts, "leader|fenced|write failed"),
    }),
  ];
}

/** What is in the Secret, by itself: the first thing only. */
function storedTrouble(facts: WebhookFacts, now: Date): readonly Diagnosis[] {
  const { secret, name, namespace } = facts;
  if (secret === "unknown") return [];
  const repair =
    "The leader repairs it within seconds when there is one and it may: what keeps it is said above, or in its log.";
  if (secret === "missing") {
    return [
      wrong(facts, "serving_secret_missing", {
        message: `Secret ${name} is gone, and the Lease still announces a certificate. Replicas serve on what they have loaded; one that starts now finds none`,
        remedy: repair,
        command: podLogs(facts, "serving certificate|write failed"),
      }),
    ];
  }
  const { leaf, problem } = secret;
  if (!leaf || problem !== undefined) {
    const by =
      secret.otherWriters.length > 0 ? `, written by ${describeWriters(secret.otherWriters, now)}` : "";
    return [
      wrong(facts, "stored_unusable", {
        message: `Secret ${name} cannot be served: ${problem ?? "no certificate"}${by}. Replicas refuse it and serve on what they had`,
        remedy: repair,
        command: podLogs(facts, "serving certificate|write failed"),
      }),
    ];
  }
  return lateness(facts, leaf, now, `kubectl get secret ${name} -n ${namespace} -o yaml`);
}

function lateness(facts: WebhookFacts, leaf: Certificate, now: Date, command: string): readonly Diagnosis[] {
  const { name } = facts;
  if (leaf.notAfter <= now) {
    return [
      wrong(facts, "stored_expired", {
        message: `the certificate in Secret ${name} (${serial(leaf)}) expired ${relative(leaf.notAfter, now)}: API servers refuse every replica that serves it`,
        remedy: "Nobody has renewed it. With a leader that may write, a new one is there within seconds.",
        command: podLogs(facts, "leader|serving certificate|write failed"),
      }),
    ];
  }
  const life = leaf.notAfter.getTime() - leaf.notBefore.getTime();
  const passed = (now.getTime() - leaf.notBefore.getTime()) / life;
  if (passed < OVERDUE_SHARE) return [];
  return [
    notice(facts, "renewal_overdue", {
      message: `the certificate in Secret ${name} (${serial(leaf)}) ends at ${moment(leaf.notAfter, now)}, after ${Math.floor(100 * passed)} % of its life, and should have been renewed at two thirds`,
      remedy: "Look why the leader does not renew it, before it expires.",
      command,
    }),
  ];
}

/** The Lease is what replicas follow: if it names what is not there, they wait for ever. */
function announcementTrouble(facts: WebhookFacts, now: Date): readonly Diagnosis[] {
  const { lease, secret, name, namespace } = facts;
  if (lease === "unknown" || typeof secret === "string" || secret.problem !== undefined) return [];
  const announced = lease === "missing" ? undefined : lease.certHash;
  const caAnnounced = lease === "missing" ? undefined : lease.caHash;
  const certDiffers = announced !== secret.certHash;
  if (!certDiffers && (caAnnounced === undefined || caAnnounced === secret.caHash)) return [];
  const changedAt = lease === "missing" ? undefined : lease.changedAt;
  const young = changedAt !== undefined && now.getTime() - changedAt.getTime() < SETTLED_MS;
  const byHand = secret.otherWriters.length > 0;
  const what = certDiffers
    ? `certificate ${short(announced)}, and Secret ${name} holds ${short(secret.certHash)}`
    : `trust ${short(caAnnounced)}, and ca.crt of Secret ${name} is ${short(secret.caHash)}`;
  const by = byHand
    ? `; the Secret was written by ${describeWriters(secret.otherWriters, now)}, not by the leader`
    : "";
  return [
    (young ? notice : wrong)(facts, "announced_not_stored", {
      message: `Lease ${name} announces ${what}${by}. Replicas take only what is announced: they serve on what they have, and one that starts now waits`,
      remedy: byHand
        ? "Nobody else writes into this Secret. A leader issues anew if the certificate is not of its CA, else it announces what is there; without one, delete the Secret and start one."
        : "The leader writes the one after the other, within a second. If it lasts, there is none, or it cannot write.",
      command: byHand
        ? `kubectl get secret ${name} -n ${namespace} -o jsonpath='{.metadata.managedFields}'`
        : podLogs(facts, "announced|write failed"),
    }),
  ];
}
