import { expect, test } from "vitest";
import { call, configMap, configMaps } from "../../test/api-call.ts";
import { createManualClock } from "../manual-clock.ts";
import type { WebhookCall } from "./admission.ts";
import type { JsonObject } from "./json.ts";
import { createKubernetesApi, type KubernetesApi, type KubernetesApiOptions } from "./kubernetes-api.ts";

type Answer = (request: JsonObject) => JsonObject;

function setUp(
  answer: Answer,
  options: KubernetesApiOptions = {},
): { api: KubernetesApi; calls: WebhookCall[] } {
  const calls: WebhookCall[] = [];
  const api = createKubernetesApi({
    ...options,
    callWebhook: async (made) => {
      calls.push(made);
      const request = made.review.request as JsonObject;
      return {
        apiVersion: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response: { uid: request.uid, ...answer(request) },
      };
    },
  });
  return { api, calls };
}

const configuration = (kind: "Validating" | "Mutating", webhook: object = {}): JsonObject => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: `${kind}WebhookConfiguration`,
  metadata: { name: "hooks" },
  webhooks: [
    {
      name: "check.newleaf.test",
      clientConfig: { url: "https://127.0.0.1:1/validate" },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"] }],
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      ...webhook,
    },
  ],
});
const install = (api: KubernetesApi, kind: "Validating" | "Mutating", webhook: object = {}): void =>
  void api.store.create(
    `${kind.toLowerCase()}webhookconfigurations.admissionregistration.k8s.io`,
    configuration(kind, webhook),
  );

test("a refusal is answered with the webhook's words, and nothing is stored", async () => {
  const { api, calls } = setUp(() => ({ allowed: false, status: { message: "no" } }));
  install(api, "Validating");
  const refused = await call(api, "POST", configMaps, configMap("a"));
  expect(refused.body).toMatchObject({
    code: 403,
    message: 'admission webhook "check.newleaf.test" denied the request: no',
  });
  expect(api.store.get("configmaps", "default", "a")).toBeUndefined();
  expect(calls[0]?.review.request).toMatchObject({
    operation: "CREATE",
    namespace: "default",
    name: "a",
    kind: { group: "", version: "v1", kind: "ConfigMap" },
    resource: { group: "", version: "v1", resource: "configmaps" },
    userInfo: { username: "system:anonymous" },
    oldObject: null,
    dryRun: false,
  });
});

test("a patch is applied before validation, warnings are headers, annotations are audited", async () => {
  const patch = Buffer.from('[{"op":"add","path":"/data/by","value":"webhook"}]').toString("base64");
  const { api } = setUp(() => ({
    allowed: true,
    patchType: "JSONPatch",
    patch,
    warnings: ["mind this"],
    auditAnnotations: { why: "because" },
  }));
  install(api, "Mutating");
  const created = await call(api, "POST", configMaps, configMap("a", { k: "v" }));
  expect(created.body.data).toEqual({ k: "v", by: "webhook" });
  expect(created.headers.warning).toBe('299 - "mind this"');
  expect(api.audit.entries.at(-1)?.annotations).toEqual({ "check.newleaf.test/why": "because" });
});

test("rules, namespaces, objects and operations select what is asked about", async () => {
  const { api, calls } = setUp(() => ({ allowed: true }));
  install(api, "Validating", {
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["DELETE"], resources: ["configmaps"] }],
    namespaceSelector: {
      matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] }],
    },
    objectSelector: { matchLabels: { checked: "yes" } },
  });
  const inSystem = configMaps.replace("default", "kube-system");
  await call(api, "POST", configMaps, configMap("a", {}, { checked: "yes" }));
  await call(api, "POST", configMaps, configMap("b"));
  await call(api, "POST", inSystem, configMap("a", {}, { checked: "yes" }));
  for (const path of [`${configMaps}/a`, `${configMaps}/b`, `${inSystem}/a`]) await call(api, "DELETE", path);
  expect(calls.map(({ review }) => (review.request as JsonObject).name)).toEqual(["a"]);
});

test("a webhook that cannot be called refuses or is left out, by its failure policy", async () => {
  const broken = {
    callWebhook: () =>
      Promise.reject(Object.assign(new Error("x"), { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" })),
  };
  const api = createKubernetesApi(broken);
  install(api, "Validating");
  expect((await call(api, "POST", configMaps, configMap("a"))).body).toMatchObject({
    code: 500,
    message:
      'Internal error occurred: failed calling webhook "check.newleaf.test": failed to call webhook: Post "https://127.0.0.1:1/validate?timeout=10s": tls: failed to verify certificate: x509: certificate signed by unknown authority',
  });
  const lenient = createKubernetesApi(broken);
  install(lenient, "Validating", { failurePolicy: "Ignore" });
  expect((await call(lenient, "POST", configMaps, configMap("a"))).status).toBe(201);
});

test("a configuration is heeded when the API server's informer has seen it", async () => {
  const clock = createManualClock();
  const { api, calls } = setUp(() => ({ allowed: true }), { clock, webhookConfigDelayMs: 1000 });
  install(api, "Validating");
  await call(api, "POST", configMaps, configMap("a"));
  expect(calls).toHaveLength(0);
  await clock.advance(1000);
  await call(api, "POST", configMaps, configMap("b"));
  expect(calls).toHaveLength(1);
});

test("a patch whose object changes while a webhook is asked is applied to what is there then", async () => {
  let api: KubernetesApi | undefined;
  const set = setUp(() => {
    const current = api?.store.get("configmaps", "default", "a");
    if (current && !(current.data as JsonObject).other) {
      api?.store.update("configmaps", { ...current, data: { other: "1" } });
    }
    return { allowed: true };
  });
  api = set.api;
  api.store.create("configmaps", { metadata: { name: "a" }, data: { k: "v" } });
  install(api, "Validating");
  const patched = await call(
    api,
    "PATCH",
    `${configMaps}/a`,
    { data: { mine: "1" } },
    { "content-type": "application/merge-patch+json" },
  );
  expect(patched.body.data).toEqual({ other: "1", mine: "1" });
});
