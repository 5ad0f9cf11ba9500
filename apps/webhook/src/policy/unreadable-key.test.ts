import { expect, test } from "vitest";
import { findingsOf, podYaml } from "../../test/check-yaml.ts";

const find = (security: string, volume: string, spec = "") =>
  findingsOf(
    "unreadable-key",
    podYaml({
      spec: `securityContext: { ${security} }\n${spec}`,
      container: "volumeMounts: [{ name: tls, mountPath: /etc/tls }]",
      volumes: `- { name: tls, ${volume} }`,
    }),
  );
const secret = (fields: string) => `secret: { secretName: web, ${fields} }`;
const csi = (attributes = "") => `csi: { driver: csi.cert-manager.io, volumeAttributes: { ${attributes} } }`;

test("a key of root's with mode 0400 and a user who is not root", () => {
  expect(find("runAsUser: 1000", secret("defaultMode: 0400"))).toEqual([
    "spec.containers[0].volumeMounts[0]: Secret web at /etc/tls cannot be read by app as user 1000: its mode is " +
      "0400, its owner root, and the Pod has no fsGroup",
  ]);
});

test.each([
  [
    "by its item's mode",
    "runAsNonRoot: true",
    secret("items: [{ key: tls.key, path: tls.key, mode: 0400 }]"),
    1,
  ],
  ["decimal, as JSON writes modes", "runAsNonRoot: true", secret("defaultMode: 256"), 1],
  ["by root's group", "runAsUser: 1000, runAsGroup: 1000", secret("defaultMode: 0440"), 1],
  [
    "in a projected volume",
    "runAsUser: 1000",
    "projected: { defaultMode: 0400, sources: [{ secret: { name: web-tls } }] }",
    1,
  ],
  ["of the driver, with no group", "runAsNonRoot: true", csi(), 1],
  [
    "of the driver, with a group that the user is not in",
    "runAsUser: 1000, runAsGroup: 1000",
    csi('"csi.cert-manager.io/fs-group": "2000"'),
    1,
  ],
  ["of the driver, which refuses the group", "runAsUser: 0", csi('"csi.cert-manager.io/fs-group": "web"'), 1],
])("%s", (_what, security, volume, count) => {
  expect(find(security, volume)).toHaveLength(count);
});

test.each([
  ["root", "runAsUser: 0", secret("defaultMode: 0400")],
  ["a user that only the image knows", "fsGroupChangePolicy: Always", secret("defaultMode: 0400")],
  ["fsGroup", "runAsUser: 1000, fsGroup: 1000", secret("defaultMode: 0400")],
  ["the default mode", "runAsUser: 1000", secret("optional: true")],
  ["group root", "runAsUser: 1000, runAsGroup: 0", secret("defaultMode: 0440")],
  ["a group that only the image knows", "runAsUser: 1000", secret("defaultMode: 0440")],
  [
    "a certificate without its key",
    "runAsUser: 1000",
    secret("items: [{ key: tls.crt, path: tls.crt, mode: 0400 }]"),
  ],
  ["fsGroup and the driver", "runAsUser: 1000, fsGroup: 1000", csi()],
  [
    "fs-group among the user's groups",
    "runAsUser: 1000, runAsGroup: 1, supplementalGroups: [2000]",
    csi('"csi.cert-manager.io/fs-group": "2000"'),
  ],
  [
    "fs-group and a group that only the image knows",
    "runAsUser: 1000",
    csi('"csi.cert-manager.io/fs-group": "1000"'),
  ],
])("readable: %s", (_what, security, volume) => {
  expect(find(security, volume)).toEqual([]);
});

test("a Secret of which nothing says that it is for TLS is left alone", () => {
  const yaml = podYaml({
    spec: "securityContext: { runAsUser: 1000 }",
    container: "volumeMounts: [{ name: app, mountPath: /app }]",
    volumes: "- { name: app, secret: { secretName: app, defaultMode: 0400 } }",
  });
  expect(findingsOf("unreadable-key", yaml)).toEqual([]);
});

test("a container's own user is over the Pod's; Windows has other rules", () => {
  expect(find("runAsUser: 1000", secret("defaultMode: 0400"), "os: { name: windows }")).toEqual([]);
  const yaml = podYaml({
    spec: "securityContext: { runAsUser: 1000 }",
    container: "securityContext: { runAsUser: 0 }\nvolumeMounts: [{ name: tls, mountPath: /etc/tls }]",
    volumes: "- { name: tls, secret: { secretName: web, defaultMode: 0400 } }",
  });
  expect(findingsOf("unreadable-key", yaml)).toEqual([]);
});
