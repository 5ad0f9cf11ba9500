import type { AdmissionAttempt } from "./admission.ts";
import { fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import type { KubeStore } from "./kube-store.ts";
import { parseLabelSelectorObject } from "./label-selector.ts";

export type WebhookKind = "mutating" | "validating";

/** A webhook that is to be asked about an attempt. */
export interface MatchedWebhook {
  readonly kind: WebhookKind;
  readonly configuration: string;
  readonly name: string;
  readonly clientConfig: {
    readonly url?: string;
    readonly service?: {
      readonly namespace: string;
      readonly name: string;
      readonly path: string;
      readonly port: number;
    };
    /** PEM; undefined when the configuration has none. */
    readonly caBundle?: string;
  };
  readonly failurePolicy: "Fail" | "Ignore";
  readonly timeoutMs: number;
  /** Without side effects when nothing is to be kept. */
  readonly dryRunSafe: boolean;
}

/** Those whose rules and selectors match, in the order of the configurations' names and of the webhooks in them. */
export function matchWebhooks(
  store: KubeStore,
  kind: WebhookKind,
  configurations: readonly KubeObject[],
  attempt: AdmissionAttempt,
): readonly MatchedWebhook[] {
  if (configurations.length === 0) return [];
  const { row } = attempt.call;
  // Nothing may keep people from mending the configurations themselves.
  if (row.group === "admissionregistration.k8s.io") return [];
  return configurations.flatMap((configuration) =>
    itemsOf(configuration.webhooks)
      .filter(isJsonObject)
      .filter((webhook) => itemsOf(webhook.rules).some((rule) => ruleMatches(fieldsOf(rule), attempt)))
      .filter((webhook) => namespaceMatches(store, fieldsOf(webhook.namespaceSelector), attempt))
      .filter((webhook) => objectMatches(fieldsOf(webhook.objectSelector), attempt))
      .map((webhook) => describe(kind, configuration.metadata.name ?? "", webhook)),
  );
}

function describe(kind: WebhookKind, configuration: string, webhook: JsonObject): MatchedWebhook {
  const { url, service, caBundle } = fieldsOf(webhook.clientConfig);
  const { namespace, name, path, port } = fieldsOf(service);
  return {
    kind,
    configuration,
    name: String(webhook.name),
    clientConfig: {
      ...(typeof url === "string" ? { url } : {}),
      ...(service
        ? {
            service: {
              namespace: String(namespace),
              name: String(name),
              path: String(path ?? "/"),
              port: Number(port ?? 443),
            },
          }
        : {}),
      ...(typeof caBundle === "string" && caBundle !== ""
        ? { caBundle: Buffer.from(caBundle, "base64").toString() }
        : {}),
    },
    failurePolicy: webhook.failurePolicy === "Ignore" ? "Ignore" : "Fail",
    timeoutMs: Number(webhook.timeoutSeconds ?? 10) * 1000,
    dryRunSafe: webhook.sideEffects === "None" || webhook.sideEffects === "NoneOnDryRun",
  };
}

function ruleMatches(rule: JsonObject, { call, operation }: AdmissionAttempt): boolean {
  const { row, info } = call;
  const has = (list: Json | undefined, value: string): boolean =>
    itemsOf(list).some((item) => item === "*" || item === value);
  if (!has(rule.operations, operation)) return false;
  if (!has(rule.apiGroups, row.group) || !has(rule.apiVersions, row.version)) return false;
  if (rule.scope === "Namespaced" && !row.namespaced) return false;
  if (rule.scope === "Cluster" && row.namespaced) return false;
  const sub = info.subresource;
  const names = sub
    ? [`${row.resource}/${sub}`, `*/${sub}`, "*/*", `${row.resource}/*`]
    : [row.resource, "*", "*/*"];
  return itemsOf(rule.resources).some((resource) => names.includes(String(resource)));
}

/** A Namespace is selected by its own labels; other cluster-scoped objects always. */
function namespaceMatches(store: KubeStore, selector: JsonObject, attempt: AdmissionAttempt): boolean {
  const { row, info } = attempt.call;
  const matches = parseLabelSelectorObject(selector);
  if (!matches) return false;
  if (row.storage === "namespaces") {
    return matches((attempt.object ?? attempt.oldObject)?.metadata.labels ?? {});
  }
  if (!row.namespaced) return true;
  return matches(store.get("namespaces", undefined, info.namespace ?? "default")?.metadata.labels ?? {});
}

/** Either state of the object may match. */
function objectMatches(selector: JsonObject, { object, oldObject }: AdmissionAttempt): boolean {
  const matches = parseLabelSelectorObject(selector);
  if (!matches) return false;
  return [object, oldObject].some((state) => state !== undefined && matches(state.metadata.labels ?? {}));
}
