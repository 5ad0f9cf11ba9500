import { expect, test } from "vitest";
import { findingsOf, podYaml } from "../../test/check-yaml.ts";

const volume = (attributes: Record<string, string>, driver = "csi.cert-manager.io") => {
  const written = Object.entries(attributes).map(([name, value]) => `"${driver}/${name}": "${value}"`);
  return podYaml({
    volumes: `- { name: tls, csi: { driver: ${driver}, volumeAttributes: { ${written.join(", ")} } } }`,
  });
};
const attribute = (name: string) => `spec.volumes[0].csi.volumeAttributes["csi.cert-manager.io/${name}"]`;

test.each([
  [
    { duration: "1h", "renew-before": "1h" },
    "renew-before",
    "renew-before 1h is not below duration 1h: the driver ignores it",
  ],
  [
    { "renew-before": "2160h" },
    "renew-before",
    "renew-before 2160h is not below duration 2160h: the driver ignores it",
  ],
  [
    { duration: "1d" },
    "duration",
    'duration "1d" is no positive Go duration: the driver refuses it, and the Pod never starts',
  ],
  [
    { duration: "-1h" },
    "duration",
    'duration "-1h" is no positive Go duration: the driver refuses it, and the Pod never starts',
  ],
  [
    { "renew-before": "30" },
    "renew-before",
    'renew-before "30" is no Go duration: the driver refuses it, and the Pod never starts',
  ],
  [
    { "renew-before": "-5m" },
    "renew-before",
    "renew-before -5m is not positive: the certificate is renewed when it has expired",
  ],
  [{ renewBefore: "5m" }, "renewBefore", "renewBefore is no attribute of the driver, which ignores it"],
])("csi-window: %j", (attributes, name, message) => {
  const yaml = volume(attributes as Record<string, string>);
  expect(findingsOf("csi-window", yaml)).toEqual([`${attribute(name)}: volume tls: ${message}`]);
  expect(findingsOf("csi-margin", yaml)).toEqual([]);
});

test("csi-margin: less than a failed attempt and a drain, by what is written or by the third that is the default", () => {
  const said =
    "less than the 2m of a failed attempt (1m30s) and a drain (30s): connections may still use the certificate when it expires";
  expect(findingsOf("csi-margin", volume({ duration: "1h", "renew-before": "119s" }))).toEqual([
    `${attribute("renew-before")}: volume tls is renewed 1m59s before the end of 1h, ${said}`,
  ]);
  expect(findingsOf("csi-margin", volume({ duration: "5m", "renew-before": "" }))).toEqual([
    `${attribute("duration")}: volume tls is renewed 1m40s before the end of 5m, ${said}`,
  ]);
});

test.each([
  volume({}),
  volume({ duration: "", "renew-before": "" }),
  volume({ duration: "6m" }),
  volume({ duration: "5m", "renew-before": "2m" }),
  volume({ duration: "1s" }, "secrets-store.csi.k8s.io"),
  volume({ "fs-group": "1000" }, "spiffe.csi.cert-manager.io"),
])("nothing to say of window %#", (yaml) => {
  expect([...findingsOf("csi-window", yaml), ...findingsOf("csi-margin", yaml)]).toEqual([]);
});
