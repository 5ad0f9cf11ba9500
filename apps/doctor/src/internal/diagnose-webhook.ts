import { describePermission } from "@newleaf/webhook";
import type { Diagnosis, Row } from "../diagnosis.ts";
import type { WebhookFacts } from "../webhook-facts.ts";
import { diagnoseCallers } from "./diagnose-webhook-callers.ts";
import { diagnoseIssuing } from "./diagnose-webhook-issuing.ts";
import { diagnoseReplicas, isWatchRule } from "./diagnose-webhook-replicas.ts";
import { diagnoseRollover } from "./diagnose-webhook-rollover.ts";
import { canI, listOf, notice, subjectOf, wrong } from "./webhook-words.ts";

/** What keeps an elected webhook certificate from being issued, followed, trusted or renewed; causes come first. */
export function diagnoseWebhook(facts: WebhookFacts | undefined, now: Date): readonly Diagnosis[] {
  if (!facts) return [];
  if (facts.failure !== undefined) return [unreachable(facts, facts.failure)];
  return [
    ...missingRules(facts),
    ...diagnoseIssuing(facts, now),
    ...diagnoseCallers(facts, now),
    ...diagnoseReplicas(facts, now),
    ...diagnoseRollover(facts, now),
    ...unasked(facts),
  ];
}

/** The webhook in the table: what is stored, and what is served as far as all replicas say so. */
export function webhookRow(facts: WebhookFacts, found: readonly Diagnosis[]): Row {
  const { secret, replicas } = facts;
  const leaf = typeof secret === "string" ? undefined : secret.leaf;
  const running =
    replicas === "unknown"
      ? []
      : replicas.filter(({ ready, leaving, follows }) => ready && !leaving && follows);
  const all = running.length > 0 && running.every(({ certHash }) => leaf && certHash === hashOf(facts));
  return {
    target: subjectOf(facts),
    stored: leaf,
    served: all ? leaf : undefined,
    lastReload: undefined,
    verdict: found.find(({ severity }) => severity === "wrong")?.code ?? "well",
  };
}

function hashOf({ secret }: WebhookFacts): string | undefined {
  return typeof secret === "string" ? undefined : secret.certHash;
}

function unreachable(facts: WebhookFacts, failure: string): Diagnosis {
  return {
    ...wrong(facts, "api_server_unreachable", {
      message: `the API server could not be asked: ${failure}`,
      remedy:
        "Nothing is known of the webhook then. Replicas that have a certificate go on serving it without the API server, until it expires.",
      command: `kubectl get lease ${facts.name} -n ${facts.namespace}`,
    }),
    certificates: false,
  };
}

/** But those of the watch, which are a diagnosis of their own. */
function missingRules(facts: WebhookFacts): readonly Diagnosis[] {
  return facts.accounts.flatMap(({ user, missing }) => {
    const others = missing.filter((permission) => !isWatchRule(facts, permission));
    const [first] = others;
    if (!first) return [];
    return [
      wrong(facts, "rbac_missing", {
        message: `the replicas' account (${user}) may not: ${others.map(describePermission).join("; ")}. Some of it is needed only months later, at a renewal or rollover`,
        remedy:
          "Add these verbs to its Role or ClusterRole; docs/webhook.md says what each is for. The command asks for the first of them again.",
        command: canI(first, user),
      }),
    ];
  });
}

function unasked(facts: WebhookFacts): readonly Diagnosis[] {
  if (facts.unasked.length === 0) return [];
  const all = facts.unasked.map(({ what, why }) => `${what} (${why})`);
  return [
    notice(facts, "not_asked", {
      message: `not all could be looked at, so not all is known: ${listOf(all)}`,
    }),
  ];
}
