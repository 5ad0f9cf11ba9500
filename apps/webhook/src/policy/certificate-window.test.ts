import { expect, test } from "vitest";
import { findingsOf } from "../../test/check-yaml.ts";

const certificate = (spec: string, apiVersion = "cert-manager.io/v1") =>
  `apiVersion: ${apiVersion}\nkind: Certificate\nmetadata: { name: web }\nspec: { secretName: web, ${spec} }\n`;

test.each([
  ["duration: 1h, renewBefore: 1h", "spec.renewBefore: renewBefore 1h is not below duration 1h"],
  ["renewBefore: 2160h", "spec.renewBefore: renewBefore 2160h is not below duration 2160h"],
  ["duration: 90d", 'spec.duration: duration "90d" is no positive Go duration'],
  ["duration: 90", "spec.duration: duration 90 is no positive Go duration"],
  ["renewBefore: 0s", 'spec.renewBefore: renewBefore "0s" is no positive Go duration'],
  [
    "renewBefore: 1h, renewBeforePercentage: 50",
    "spec.renewBeforePercentage: renewBefore and renewBeforePercentage exclude each other",
  ],
  [
    "renewBeforePercentage: 100",
    "spec.renewBeforePercentage: renewBeforePercentage 100 is not between 0 and 100",
  ],
  [
    "renewal: { policy: Disabled }",
    "spec.renewal.policy: renewal.policy Disabled: the certificate is never renewed",
  ],
])("certificate-window: %s", (spec, finding) => {
  expect(findingsOf("certificate-window", certificate(spec))).toEqual([finding]);
  expect(findingsOf("certificate-margin", certificate(spec))).toEqual([]);
});

test("certificate-margin: too late for the kubelet and a drain, or too often", () => {
  const needs = "less than the 2m of a kubelet sync (1m30s) and a drain (30s)";
  expect(findingsOf("certificate-margin", certificate("duration: 1h, renewBefore: 1m"))).toEqual([
    `spec.renewBefore: the certificate is renewed 1m before the end of 1h, ${needs}: connections may still use it when it expires`,
  ]);
  expect(findingsOf("certificate-margin", certificate("duration: 1h, renewBefore: 59m"))).toEqual([
    `spec.renewBefore: the certificate is replaced every 1m, ${needs}: a new one comes before the last is in use`,
  ]);
  expect(
    findingsOf("certificate-margin", certificate("duration: 1h, renewBeforePercentage: 99")),
  ).toHaveLength(1);
});

test.each([
  certificate("duration: 1h, renewBefore: 20m"),
  certificate("renewBeforePercentage: 66"),
  certificate("duration: 8760h0m0s"),
  certificate("duration: null, renewBefore: null").replace("duration: null, ", ""),
  certificate("duration: nonsense", "networking.internal.knative.dev/v1alpha1"),
])("nothing to say of certificate %#", (yaml) => {
  expect([...findingsOf("certificate-window", yaml), ...findingsOf("certificate-margin", yaml)]).toEqual([]);
});
