import { expect, test } from "vitest";
import {
  call,
  configMap,
  configMaps,
  deployment,
  deployments,
  leases,
  patchType,
} from "../../test/api-call.ts";
import type { JsonObject } from "./json.ts";
import { createKubernetesApi } from "./kubernetes-api.ts";

// What kube-apiserver 1.35 answers, word for word.
const secrets = "/api/v1/namespaces/default/secrets";
const refused: readonly (readonly [path: string, body: JsonObject, code: number, message: string])[] = [
  [
    configMaps,
    { metadata: {} },
    422,
    'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
  ],
  [
    configMaps,
    configMap("A_"),
    422,
    "ConfigMap \"A_\" is invalid: metadata.name: Invalid value: \"A_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ],
  [
    configMaps,
    { metadata: { name: "a", resourceVersion: "5" } },
    500,
    "resourceVersion should not be set on objects to be created",
  ],
  [
    configMaps,
    { metadata: { name: "a", namespace: "other" } },
    400,
    "the namespace of the provided object does not match the namespace sent on the request",
  ],
  [configMaps.replace("default", "nope"), configMap("a"), 404, 'namespaces "nope" not found'],
  [
    secrets,
    { metadata: { name: "s" }, data: { k: "%%" } },
    400,
    'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0',
  ],
  [
    secrets,
    { metadata: { name: "t" }, type: "kubernetes.io/tls", data: {} },
    422,
    'Secret "t" is invalid: [data[tls.crt]: Required value, data[tls.key]: Required value]',
  ],
  [
    leases,
    { metadata: { name: "l" }, spec: { leaseDurationSeconds: -1, leaseTransitions: -1 } },
    422,
    'Lease.coordination.k8s.io "l" is invalid: [spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0, spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0]',
  ],
  [
    leases,
    { metadata: { name: "l" }, spec: { renewTime: "2020-01-01T00:00:00.5Z" } },
    400,
    'Lease in version "v1" cannot be handled as a Lease: parsing time "2020-01-01T00:00:00.5Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".5Z" as ".000000"',
  ],
  [
    deployments,
    { metadata: { name: "d" }, spec: {} },
    422,
    'Deployment.apps "d" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`, spec.template.spec.containers: Required value]',
  ],
  [
    deployments,
    deployment("web", -1),
    422,
    'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ],
];

test.each(refused)("POST %s %j is %i", async (path, body, code, message) => {
  const answer = await call(createKubernetesApi(), "POST", path, body);
  expect([answer.status, answer.body.message]).toEqual([code, message]);
});

test("a selector cannot be changed", async () => {
  const api = createKubernetesApi();
  await call(api, "POST", deployments, deployment("web"));
  const patch = { spec: { selector: { matchLabels: { app: "other" } } } };
  expect(
    (await call(api, "PATCH", `${deployments}/web`, patch, patchType("merge-patch"))).body.message,
  ).toContain('spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable');
});

test("what is no patch, no method, no resource and no JSON", async () => {
  const api = createKubernetesApi();
  api.store.create("configmaps", { metadata: { name: "a" } });
  const status = async (method: string, path: string, body?: unknown, type = "application/json") =>
    (await call(api, method, path, body, { "content-type": type })).status;
  expect(await status("PATCH", `${configMaps}/a`, {})).toBe(415);
  expect(await status("PATCH", `${configMaps}/a`, [], "application/merge-patch+json")).toBe(400);
  expect(await status("POST", configMaps, configMap("b"), "text/plain")).toBe(415);
  expect(await status("POST", `${configMaps}/a`, configMap("a"))).toBe(405);
  expect(await status("PUT", configMaps, configMap("a"))).toBe(405);
  expect(await status("GET", "/api/v1/namespaces/default/nope")).toBe(404);
  expect(await status("GET", `${configMaps}?labelSelector=a==b==c`)).toBe(400);
  expect(await status("GET", `${configMaps}?fieldSelector=data.k%3Dv`)).toBe(400);
});

test("one seed and one clock make one history", async () => {
  const history = async (): Promise<string> => {
    let seed = 7;
    const random = (): number => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const clock = { now: () => 0, setTimeout: () => ({ cancel: () => {} }) };
    const api = createKubernetesApi({ clock, random });
    const answers = [
      await call(api, "POST", configMaps, { metadata: { generateName: "a-" } }),
      await call(api, "POST", deployments, deployment("web")),
      await call(api, "GET", "/api/v1/configmaps"),
    ];
    return JSON.stringify(answers);
  };
  expect(await history()).toBe(await history());
});
