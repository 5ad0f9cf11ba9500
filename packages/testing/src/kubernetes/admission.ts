import { callFailure } from "./admission-failure.ts";
import { type MatchedWebhook, matchWebhooks, type WebhookKind } from "./admission-match.ts";
import { admissionReview } from "./admission-review.ts";
import { fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import { asKubeObject, type KubeObject } from "./kube-object.ts";
import type { KubeStore, StoreClock } from "./kube-store.ts";
import { jsonPatch } from "./patch.ts";
import type { ResourceCall } from "./resource-call.ts";
import { toServed, toStored } from "./resource-table.ts";
import { StatusError } from "./status-error.ts";

/** Sends a review to a webhook and resolves with its answer; rejects with what a client of the network would say. */
export type CallWebhook = (call: WebhookCall) => Promise<JsonObject>;

export interface WebhookCall {
  readonly webhook: MatchedWebhook;
  /** AdmissionReview v1. */
  readonly review: JsonObject;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What is to be admitted, in the stored form. */
export interface AdmissionAttempt {
  readonly call: ResourceCall;
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly dryRun: boolean;
}

export interface Admission {
  /** The object as mutating webhooks leave it. Throws what the API server answers when one denies or fails. */
  mutate(attempt: AdmissionAttempt, object: KubeObject): Promise<KubeObject>;
  validate(attempt: AdmissionAttempt): Promise<void>;
}

/** Honours the stored webhook configurations: mutating ones one after the other, validating ones all at once. */
export function createAdmission(options: {
  readonly store: KubeStore;
  readonly clock: StoreClock;
  readonly random: () => number;
  /** How long after a change of a configuration it is heeded. */
  readonly configDelayMs: number;
  readonly callWebhook: CallWebhook;
}): Admission {
  const { store, callWebhook, random } = options;
  const configurations = {
    mutating: delayed(options, "mutatingwebhookconfigurations.admissionregistration.k8s.io"),
    validating: delayed(options, "validatingwebhookconfigurations.admissionregistration.k8s.io"),
  };
  const matched = (kind: WebhookKind, attempt: AdmissionAttempt): readonly MatchedWebhook[] =>
    matchWebhooks(store, kind, configurations[kind](), attempt);

  const ask = async (webhook: MatchedWebhook, attempt: AdmissionAttempt): Promise<JsonObject | undefined> => {
    if (attempt.dryRun && !webhook.dryRunSafe) {
      const message = `admission webhook "${webhook.name}" does not support dry run`;
      throw new StatusError(400, "BadRequest", message);
    }
    const review = admissionReview(attempt, random);
    try {
      const { call } = attempt;
      const answer = await callWebhook({
        webhook,
        review,
        timeoutMs: webhook.timeoutMs,
        signal: call.signal,
      });
      return responseOf(webhook, review, answer);
    } catch (error) {
      attempt.call.signal.throwIfAborted();
      const why = callFailure(webhook, error);
      if (webhook.failurePolicy === "Ignore") {
        attempt.call.annotations[`failed-open.${webhook.kind}.webhook.admission.k8s.io/${webhook.name}`] =
          why;
        return undefined;
      }
      const message = `Internal error occurred: ${why}`;
      throw new StatusError(500, "InternalError", message, { causes: [{ message: why }] });
    }
  };
  const heed = (webhook: MatchedWebhook, attempt: AdmissionAttempt, response: JsonObject): void => {
    const { call } = attempt;
    for (const warning of itemsOf(response.warnings)) call.warnings.push(String(warning));
    for (const [key, value] of Object.entries(fieldsOf(response.auditAnnotations))) {
      call.annotations[`${webhook.name}/${key}`] = String(value);
    }
    if (response.allowed !== true) throw denied(webhook, fieldsOf(response.status));
  };

  return {
    async mutate(attempt, object) {
      let current = object;
      for (const webhook of matched("mutating", { ...attempt, object })) {
        const response = await ask(webhook, { ...attempt, object: current });
        if (!response) continue;
        heed(webhook, attempt, response);
        if (response.patch) current = patched(webhook, attempt, current, String(response.patch));
      }
      return current;
    },
    async validate(attempt) {
      const webhooks = matched("validating", attempt);
      if (webhooks.length === 0) return;
      const outcomes = await Promise.allSettled(
        webhooks.map(async (webhook) => {
          const response = await ask(webhook, attempt);
          if (response) heed(webhook, attempt, response);
        }),
      );
      const refused = outcomes.find((outcome) => outcome.status === "rejected");
      if (refused) throw refused.reason;
    },
  };
}

/** The configurations as the API server's own informer sees them. */
function delayed(
  {
    store,
    clock,
    configDelayMs,
  }: Pick<Parameters<typeof createAdmission>[0], "store" | "clock" | "configDelayMs">,
  storage: string,
): () => readonly KubeObject[] {
  const seen = new Map<string, KubeObject>();
  store.table.subscribe(storage, ({ key, type, object }) => {
    const see = (): void => {
      if (type === "DELETED") seen.delete(key);
      else seen.set(key, object);
    };
    if (configDelayMs > 0) clock.setTimeout(see, configDelayMs);
    else see();
  });
  return () => [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, configuration]) => configuration);
}

function responseOf(webhook: MatchedWebhook, review: JsonObject, answer: JsonObject): JsonObject {
  const response = answer.response;
  if (answer.kind !== "AdmissionReview" || !isJsonObject(response)) {
    throw new Error("webhook response was absent");
  }
  const { uid } = fieldsOf(review.request);
  if (response.uid !== uid) {
    throw new Error(
      `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`,
    );
  }
  if (response.patch && response.patchType !== "JSONPatch") {
    throw new Error(`invalid patchType ${JSON.stringify(response.patchType ?? "")} of ${webhook.name}`);
  }
  return response;
}

function denied(webhook: MatchedWebhook, status: JsonObject): StatusError {
  const code = typeof status.code === "number" && status.code >= 400 ? status.code : 403;
  const why =
    typeof status.message === "string"
      ? `denied the request: ${status.message}`
      : typeof status.reason === "string"
        ? `denied the request: ${status.reason}`
        : "denied the request without explanation";
  const reason = typeof status.reason === "string" ? status.reason : code === 403 ? "Forbidden" : undefined;
  return new StatusError(code, reason, `admission webhook "${webhook.name}" ${why}`);
}

function patched(
  webhook: MatchedWebhook,
  { call }: AdmissionAttempt,
  object: KubeObject,
  patch: string,
): KubeObject {
  const served = toServed(call.row, object);
  try {
    const operations = JSON.parse(Buffer.from(patch, "base64").toString()) as Json;
    const result = asKubeObject(jsonPatch(served, operations));
    if (!result) throw new Error("not an object");
    const stored = toStored(call.row, result);
    call.row.defaults(stored);
    return stored;
  } catch {
    const why = `failed to apply the JSON patch of admission webhook "${webhook.name}"`;
    throw new StatusError(500, "InternalError", `Internal error occurred: ${why}`);
  }
}
