import { expect, test } from "vitest";
import { findingsOf, podYaml } from "../../test/check-yaml.ts";

const find = (seconds: string) =>
  findingsOf(
    "token-lifetime",
    podYaml({
      volumes: `- { name: t, projected: { sources: [{ configMap: { name: a } }, { serviceAccountToken: { path: token, ${seconds} } }] } }`,
    }),
  );
const field = "spec.volumes[0].projected.sources[1].serviceAccountToken.expirationSeconds";

test("a token that lives longer than is granted, or less than the API server accepts", () => {
  expect(find("expirationSeconds: 86401")).toEqual([
    `${field}: expirationSeconds 86401 (24h1s) is more than the 24h that are granted: the token ends before that`,
  ]);
  expect(find("expirationSeconds: 599")).toEqual([
    `${field}: expirationSeconds 599 is below 600: the API server refuses the Pod`,
  ]);
});

test.each(["expirationSeconds: 600", "expirationSeconds: 86400", "audience: vault"])("not %s", (seconds) => {
  expect(find(seconds)).toEqual([]);
});
