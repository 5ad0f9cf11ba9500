import { expect, test } from "vitest";
import { findingsOf, podYaml } from "../../test/check-yaml.ts";

const find = (other: string, volume = "emptyDir: {}") =>
  findingsOf(
    "shadowed-mount",
    podYaml({
      container: `volumeMounts: [{ name: tls, mountPath: /etc/tls }, { name: other, ${other} }]`,
      volumes: `- { name: tls, secret: { secretName: web, items: [{ key: tls.crt, path: tls.crt }, { key: tls.key, path: private/key.pem }] } }\n- { name: other, ${volume} }`,
    }),
  );

test("two mounts at one path, however it is written", () => {
  const said =
    "spec.containers[0].volumeMounts[1].mountPath: /etc/tls of app is where volume tls is mounted too: only one of tls and other is seen";
  for (const path of ["/etc/tls", "/etc/tls/", "/etc//tls", "/etc/./tls/."])
    expect(find(`mountPath: ${path}`)).toEqual([said]);
});

test.each(["/etc/tls/tls.crt", "/etc/tls/private", "/etc/tls/..data"])(
  "a file of a TLS volume hidden: %s",
  (path) => {
    expect(find(`mountPath: ${path}`)).toEqual([
      expect.stringMatching(
        /^spec\.containers\[0]\.volumeMounts\[1]\.mountPath: volume other at \S+ of app hides (tls\.crt|private\/key\.pem|\.\.data) of volume tls/,
      ),
    ]);
  },
);

test.each(["/etc", "/etc/tls/more", "/etc/tls2", "/etc/tls/tls.crt.d", "/"])("not %s", (path) => {
  expect(find(`mountPath: ${path}`)).toEqual([]);
});
