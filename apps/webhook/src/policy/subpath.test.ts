import { expect, test } from "vitest";
import { findingsOf, podYaml } from "../../test/check-yaml.ts";

const find = (yaml: string) => findingsOf("subpath", yaml);
const secret = "- { name: tls, secret: { secretName: web } }";
const mount = (fields: string) => `volumeMounts: [{ name: tls, ${fields} }]`;

test("a certificate mounted with subPath, and what that does", () => {
  const yaml = podYaml({
    container: mount("mountPath: /etc/app/tls.crt, subPath: tls.crt"),
    volumes: secret,
  });
  expect(find(yaml)).toEqual([
    "spec.containers[0].volumeMounts[0].subPath: tls.crt of Secret web is mounted at /etc/app/tls.crt of app with " +
      "subPath: it is never updated, so the container keeps the certificate it started with",
  ]);
});

test.each([
  [
    "a CA of a ConfigMap",
    "mountPath: /etc/ssl/certs/ca-certificates.crt, subPath: ca-certificates.crt",
    "- { name: tls, configMap: { name: roots } }",
  ],
  [
    "a key renamed by items",
    "mountPath: /app/k, subPath: app-key",
    "- { name: tls, secret: { secretName: web, items: [{ key: tls.key, path: app-key }] } }",
  ],
  [
    "a directory made by items",
    "mountPath: /app/tls, subPath: tls",
    "- { name: tls, secret: { secretName: web, items: [{ key: tls.key, path: tls/key }] } }",
  ],
  [
    "a projected volume",
    "mountPath: /app/ca.crt, subPath: ca.crt",
    "- { name: tls, projected: { sources: [{ configMap: { name: roots } }] } }",
  ],
  [
    "a file of cert-manager's driver",
    "mountPath: /app/ca.crt, subPath: ca.crt",
    "- { name: tls, csi: { driver: csi.cert-manager.io } }",
  ],
  [
    "a name without extension, by where it is mounted",
    "mountPath: /app/server.crt, subPath: cert",
    "- { name: tls, secret: { secretName: web } }",
  ],
  [
    "an expression in a TLS volume",
    "mountPath: /app/x, subPathExpr: $(NAME).crt",
    "- { name: tls, csi: { driver: csi.cert-manager.io } }",
  ],
  ["a leading ./", "mountPath: /app/x, subPath: ./tls.crt", secret],
])("%s", (_what, fields, volumes) => {
  expect(find(podYaml({ container: mount(fields), volumes }))).toHaveLength(1);
});

test.each([
  [
    "nginx.conf of a ConfigMap",
    "mountPath: /etc/nginx/nginx.conf, subPath: nginx.conf",
    "- { name: tls, configMap: { name: nginx } }",
  ],
  [
    "a public key of a ConfigMap",
    "mountPath: /app/app.key, subPath: server.key",
    "- { name: tls, configMap: { name: keys } }",
  ],
  [
    "a licence",
    "mountPath: /app/license.key, subPath: license.key",
    "- { name: tls, secret: { secretName: app } }",
  ],
  [
    "a key that signs tokens",
    "mountPath: /app/jwt.pem, subPath: jwt-private.pem",
    "- { name: tls, secret: { secretName: app } }",
  ],
  [
    "an SSH key",
    "mountPath: /root/.ssh/id, subPath: ssh-private.pem",
    "- { name: tls, secret: { secretName: app-tls } }",
  ],
  ["the whole volume", "mountPath: /etc/tls", secret],
  ["the whole volume by an empty subPath", 'mountPath: /etc/tls, subPath: ""', secret],
  [
    "a directory of an emptyDir",
    "mountPath: /etc/tls/tls.crt, subPath: tls.crt",
    "- { name: tls, emptyDir: {} }",
  ],
])("not %s", (_what, fields, volumes) => {
  expect(find(podYaml({ container: mount(fields), volumes }))).toEqual([]);
});

test("not what ends before it is renewed: an init container, a Job; but a sidecar", () => {
  const container = mount("mountPath: /a/tls.crt, subPath: tls.crt");
  const init = (fields: string) =>
    podYaml({ volumes: secret, spec: `initContainers:\n  - name: setup\n    ${container}\n    ${fields}` });
  expect(find(init("image: a"))).toEqual([]);
  expect(find(init("restartPolicy: Always"))).toHaveLength(1);
  expect(find(podYaml({ container, volumes: secret, spec: "restartPolicy: Never" }))).toEqual([]);
});

test("a Secret that a Certificate of the same files makes, whatever its keys are called", () => {
  const certificate = `
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: web, namespace: shop }
spec: { secretName: web }
`;
  const pod = podYaml({ container: mount("mountPath: /a/x, subPathExpr: $(FILE)"), volumes: secret });
  expect(find(pod)).toEqual([]);
  expect(find(pod + certificate)).toHaveLength(1);
  expect(find(pod + certificate.replace("shop", "other"))).toEqual([]);
  const keystore = podYaml({ container: mount("mountPath: /a/x, subPath: keystore.p12"), volumes: secret });
  expect(find(keystore + certificate)).toHaveLength(1);
});
