import { expect, test } from "vitest";
import { findingsOf, podYaml } from "../../test/check-yaml.ts";

const find = (volumes: string, ca = "mountPath: /etc/ca") =>
  findingsOf(
    "split-bundle",
    podYaml({
      container: `volumeMounts: [{ name: tls, mountPath: /etc/tls }, { name: ca, ${ca} }]`,
      volumes,
    }),
  );
const leaf = "- { name: tls, secret: { secretName: web } }";
const bundle = "- { name: ca, configMap: { name: roots, items: [{ key: ca.crt, path: ca.crt }] } }";

test("a leaf from a Secret and its CAs from a ConfigMap", () => {
  expect(find(`${leaf}\n${bundle}`)).toEqual([
    "spec.containers[0].volumeMounts[1]: app has its certificate from Secret web (volume tls) and the CAs from ConfigMap " +
      "roots (volume ca): the two swap up to a kubelet sync apart",
  ]);
});

test.each([
  ["a volume of cert-manager's driver", "- { name: tls, csi: { driver: csi.cert-manager.io } }", bundle],
  [
    "two volumes of one Secret",
    "- { name: tls, secret: { secretName: web, items: [{ key: tls.crt, path: tls.crt }] } }",
    "- { name: ca, secret: { secretName: web, items: [{ key: ca.crt, path: ca.crt }] } }",
  ],
  ["a ConfigMap that is called as bundles are", leaf, "- { name: ca, configMap: { name: ca-bundle } }"],
  [
    "a ClusterTrustBundle",
    leaf,
    "- { name: ca, projected: { sources: [{ clusterTrustBundle: { name: a, path: ca.pem } }] } }",
  ],
])("%s", (_what, tls, ca) => {
  expect(find(`${tls}\n${ca}`)).toHaveLength(1);
});

test.each([
  [
    "one projected volume",
    "- { name: tls, projected: { sources: [{ secret: { name: web } }, { configMap: { name: roots } }] } }\n- { name: ca, emptyDir: {} }",
  ],
  [
    "another ConfigMap",
    `${leaf}\n- { name: ca, configMap: { name: settings, items: [{ key: app.yaml, path: app.yaml }] } }`,
  ],
  ["two certificates, each with its own CA", `${leaf}\n- { name: ca, secret: { secretName: client-tls } }`],
  [
    "the CA of the API server",
    `${leaf}\n- { name: ca, configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] } }`,
  ],
])("not %s", (_what, volumes, mount = "mountPath: /etc/ca") => {
  expect(find(volumes, mount)).toEqual([]);
});

test("not the roots of the public web, which are for other servers", () => {
  expect(find(`${leaf}\n${bundle}`, "mountPath: /etc/ssl/certs")).toEqual([]);
});
