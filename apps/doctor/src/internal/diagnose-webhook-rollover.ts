import type { Diagnosis } from "../diagnosis.ts";
import type { AuthorityFacts, ReplicaFacts, WebhookFacts } from "../webhook-facts.ts";
import { nameOfCaller } from "./diagnose-webhook-callers.ts";
import { isRunning } from "./webhook-leadership.ts";
import { dateOf } from "./webhook-objects.ts";
import { listOf, notice, podLogs, wrong } from "./webhook-words.ts";
import { moment } from "./words.ts";

/** A kubelet left to itself takes up to 80 s, and a step waits for all of them. */
const SLOW_MS = 180_000;

/** How far a rollover of the CA has come, and whom it waits for. */
export function diagnoseRollover(facts: WebhookFacts, now: Date): readonly Diagnosis[] {
  const { authority } = facts;
  if (typeof authority === "string" || !authority.rollover) return [];
  const stage = stageOf(authority, facts);
  const { startedAt, switchedAt, droppedAt } = authority.rollover;
  const since = dateOf(droppedAt ?? switchedAt ?? startedAt) ?? now;
  const ageMs = now.getTime() - since.getTime();
  const whom =
    stage.pending.length > 0 ? `waits for ${listOf(stage.pending)}` : "waits for the leader's next step";
  const message = `a rollover of the CA (${authority.rollover.reason}) is under way, ${stage.step} since ${moment(since, now)}, and ${whom}. ${untilWhen(authority, now)}`;
  if (ageMs < SLOW_MS) {
    return [notice(facts, "rollover_waiting", { message, remedy: "Nothing has to be done yet." })];
  }
  return [
    wrong(facts, "rollover_waiting", {
      message,
      remedy: `${stage.remedy} Nothing fails while it waits.`,
      command: podLogs(facts, "held up|rollover|not proved|caBundle"),
    }),
  ];
}

interface Stage {
  readonly step: string;
  readonly pending: readonly string[];
  readonly remedy: string;
}

function stageOf(authority: AuthorityFacts, facts: WebhookFacts): Stage {
  const { lease, secret } = facts;
  const caHash = typeof lease === "string" ? undefined : lease.caHash;
  const certHash = typeof secret === "string" ? undefined : secret.certHash;
  const without = (isDone: (replica: ReplicaFacts) => boolean): readonly string[] =>
    facts.replicas === "unknown"
      ? []
      : facts.replicas.filter((replica) => isRunning(replica) && !isDone(replica)).map(({ name }) => name);
  const silent =
    "A Pod of the selector that is no replica, or does not acknowledge, is waited for as well: see --selector and --acknowledge. Deleting a Pod that hangs lets it go on.";
  if (authority.next) {
    const trusts = facts.callers.filter(({ bundleHash }) => caHash !== undefined && bundleHash !== caHash);
    return {
      step: "the next CA is being handed out",
      pending: [...trusts.map(nameOfCaller), ...without((replica) => replica.caHash === caHash)],
      remedy: silent,
    };
  }
  if (authority.previous.length > 0) {
    const pending = without((replica) => replica.certHash === certHash);
    return {
      step: "the new CA signs and the old one is still trusted",
      pending,
      remedy:
        pending.length > 0
          ? silent
          : "Every replica says that it serves the new certificate; the leader also looks by a handshake (--prove-port): a NetworkPolicy must let it reach the Pods.",
    };
  }
  return {
    step: "the old CA has been dropped",
    pending: without((replica) => replica.caHash === caHash),
    remedy: silent,
  };
}

function untilWhen({ rollover, next, signer }: AuthorityFacts, now: Date): string {
  const oldUntil = dateOf(rollover?.oldLeafUntil);
  if (next && signer) return `The CA that signs is good until ${moment(signer.notAfter, now)}`;
  if (oldUntil && rollover?.droppedAt === undefined) {
    return `The old CA goes by itself once its last certificate has ended, ${moment(oldUntil, now)}`;
  }
  return "";
}
