import type { Diagnosis, DiagnosisCode, Report, Row } from "./diagnosis.ts";
import type { Facts, TargetFacts } from "./facts.ts";
import { diagnosePostgres } from "./internal/diagnose-postgres.ts";
import { diagnoseStore } from "./internal/diagnose-store.ts";
import { diagnoseTarget } from "./internal/diagnose-target.ts";
import { diagnoseWebhook, webhookRow } from "./internal/diagnose-webhook.ts";
import { diagnoseWorkloadApi } from "./internal/diagnose-workload-api.ts";

/** What the facts mean at this moment. Pure: the same facts and moment, the same report. */
export function diagnose(facts: Facts, now: Date): Report {
  const targets = facts.targets.map((target) => ({ target, found: diagnoseTarget(target, facts, now) }));
  const webhook = diagnoseWebhook(facts.webhook, now);
  const diagnoses = [
    ...diagnoseWorkloadApi(facts.workloadApi),
    ...diagnoseStore(facts.stored, "server", facts, now),
    ...diagnoseStore(facts.client, "client", facts, now),
    ...targets.flatMap(({ found }) => found),
    ...diagnosePostgres(facts, now),
    ...webhook,
  ];
  return {
    ok: diagnoses.every(({ severity }) => severity === "note"),
    rows: [
      ...targets.map(({ target, found }) => row(target, found, facts)),
      ...(facts.webhook ? [webhookRow(facts.webhook, webhook)] : []),
    ],
    diagnoses,
  };
}

function row(target: TargetFacts, found: readonly Diagnosis[], { stored, postgres }: Facts): Row {
  const wrong = found.find(({ severity }) => severity === "wrong");
  const verdict: DiagnosisCode = wrong?.code ?? "well";
  return {
    target: target.name,
    stored: stored?.leaf,
    served: target.served?.leaf,
    lastReload: target.protocol === "postgres" ? postgres?.loadedAt : undefined,
    verdict,
  };
}
