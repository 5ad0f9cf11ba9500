import { expect, test } from "vitest";
import { findingsOf, podYaml } from "../../test/check-yaml.ts";

const find = (yaml: string) => findingsOf("tls-env", yaml);
const env = (name: string, from: string) =>
  podYaml({ container: `env: [{ name: ${name}, valueFrom: { ${from} } }]` });

test("a key of a TLS Secret", () => {
  expect(find(env("KEY", "secretKeyRef: { name: web, key: tls.key }"))).toEqual([
    "spec.containers[0].env[0].valueFrom.secretKeyRef: tls.key of Secret web is read into the environment variable KEY " +
      "of app, which keeps the value that it started with",
  ]);
});

test.each([
  ["a CA of a ConfigMap", env("CA", "configMapKeyRef: { name: roots, key: ca-bundle.pem }"), 1],
  ["a key whose variable speaks of TLS", env("TLS_KEY", "secretKeyRef: { name: web, key: app.key }"), 1],
  ["a password", env("PASSWORD", "secretKeyRef: { name: web-tls, key: password }"), 0],
  ["a key for something else", env("LICENSE", "secretKeyRef: { name: web, key: license.key }"), 0],
  ["a setting of a ConfigMap", env("MODE", "configMapKeyRef: { name: web-tls, key: tls.key }"), 0],
])("%s", (_what, yaml, count) => {
  expect(find(yaml)).toHaveLength(count);
});

test("a whole Secret, where the files say what it holds; its data is not shown", () => {
  const pod = podYaml({
    container: "envFrom: [{ secretRef: { name: web } }, { configMapRef: { name: web } }]",
  });
  const secret = "---\napiVersion: v1\nkind: Secret\nmetadata: { name: web }\ndata: { tls.crt: c2VjcmV0 }\n";
  expect(find(pod)).toEqual([]);
  expect(find(pod + secret)).toEqual([
    "spec.containers[0].envFrom[0].secretRef: Secret web, which holds tls.crt, is read into the environment of app, " +
      "which keeps the values that it started with",
  ]);
});

test("ephemeral containers too; not init containers", () => {
  const container =
    "- { name: x, env: [{ name: K, valueFrom: { secretKeyRef: { name: web, key: tls.key } } }] }";
  const pod = (list: string) => podYaml({ spec: `${list}:\n  ${container}` });
  expect(find(pod("ephemeralContainers"))).toHaveLength(1);
  expect(find(pod("initContainers"))).toEqual([]);
});
