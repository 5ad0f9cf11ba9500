import fc from "fast-check";
import { expect, test } from "vitest";
import { checkManifest, ignoreAnnotation } from "./check-manifest.ts";
import { formatFieldPath } from "./field-path.ts";
import { emptyContext, gatherContext } from "./policy-context.ts";
import { defaultPolicy, ruleSettings } from "./policy-settings.ts";

const spec = {
  containers: [{ name: "app", volumeMounts: [{ name: "tls", mountPath: "/a/tls.crt", subPath: "tls.crt" }] }],
  volumes: [{ name: "tls", secret: { secretName: "web" } }],
};
const check = (document: unknown, settings = defaultPolicy) =>
  checkManifest(document, emptyContext, settings).map(
    ({ object, path }) => `${object.kind} ${formatFieldPath(path)}`,
  );

const template = { template: { spec } };
const below = "containers[0].volumeMounts[0].subPath";

test.each([
  ["v1", "Pod", { spec }, "spec"],
  ["v1", "ReplicationController", { spec: template }, "spec.template.spec"],
  ["v1", "PodTemplate", template, "template.spec"],
  ["apps/v1", "Deployment", { spec: template }, "spec.template.spec"],
  ["apps/v1", "StatefulSet", { spec: template }, "spec.template.spec"],
  ["apps/v1", "DaemonSet", { spec: template }, "spec.template.spec"],
  ["apps/v1", "ReplicaSet", { spec: template }, "spec.template.spec"],
  ["batch/v1", "Job", { spec: template }, "spec.template.spec"],
  [
    "batch/v1",
    "CronJob",
    { spec: { jobTemplate: { spec: template } } },
    "spec.jobTemplate.spec.template.spec",
  ],
])("%s %s", (apiVersion, kind, fields, path) => {
  expect(check({ apiVersion, kind, metadata: { name: "web" }, ...fields })).toEqual([
    `${kind} ${path}.${below}`,
  ]);
});

test("kinds that only share a name are not looked at", () => {
  expect(check({ apiVersion: "batch.example.com/v1", kind: "Job", spec: template })).toEqual([]);
});

test("lists of any sort, and lists in lists", () => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec };
  const inner = { apiVersion: "v1", kind: "PodList", items: [{ metadata: { name: "web" }, spec }] };
  expect(check({ apiVersion: "v1", kind: "List", items: [{}, pod, inner] })).toEqual([
    `Pod items[1].spec.${below}`,
    `Pod items[2].items[0].spec.${below}`,
  ]);
});

test("an annotation of the object or of its template leaves rules out for it", () => {
  const deployment = (own: object, ofTemplate: object) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { annotations: own },
    spec: { template: { metadata: { annotations: ofTemplate }, spec } },
  });
  expect(check(deployment({}, {}))).toHaveLength(1);
  expect(check(deployment({ [ignoreAnnotation]: "tls-env, subpath" }, {}))).toEqual([]);
  expect(check(deployment({}, { [ignoreAnnotation]: "subpath" }))).toEqual([]);
  expect(check(deployment({}, { [ignoreAnnotation]: "all" }))).toEqual([]);
  expect(check(deployment({ [ignoreAnnotation]: "tls-env" }, {}))).toHaveLength(1);
});

test("settings: a rule off, another severity; what names no rule throws", () => {
  const pod = { apiVersion: "v1", kind: "Pod", spec };
  expect(check(pod, { ...defaultPolicy, rules: ruleSettings(["subpath=off"]) })).toEqual([]);
  const warned = checkManifest(pod, emptyContext, {
    ...defaultPolicy,
    rules: ruleSettings(["all=off", "subpath=warn"]),
  });
  expect(warned).toMatchObject([{ severity: "warn", rule: "subpath" }]);
  for (const text of ["subpath", "subpath=no", "nothing=off", "=off", "subpath=off=off"]) {
    expect(() => ruleSettings([text])).toThrow();
  }
});

test("whatever is given, there are findings or none, and never an exception", () => {
  const names = [
    "spec",
    "containers",
    "volumes",
    "volumeMounts",
    "csi",
    "secret",
    "items",
    "kind",
    "metadata",
    "env",
  ];
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: "medium" },
      fc.constantFrom(null, true, 0, -1, "", "tls.crt", "csi.cert-manager.io", [], {}),
      fc.array(tie("node"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie("node"), { maxKeys: 4 }),
    ),
  })).node;
  fc.assert(
    fc.property(value, fc.constantFrom("Pod", "List", "Secret", "ConfigMap"), (node, kind) => {
      for (const document of [node, { apiVersion: "v1", kind, spec: node, items: [node], data: node }]) {
        checkManifest(document, gatherContext([document]), defaultPolicy);
      }
    }),
  );
});
