import type { AdmissionRequest } from "@newleaf/webhook";
import { expect, test } from "vitest";
import { deployment } from "../../test/manifests.ts";
import type { Finding } from "../policy/finding.ts";
import { defaultPolicy } from "../policy/policy-settings.ts";
import { createPolicyReviewer } from "./review-policy.ts";

const stale = deployment("stale", { subPath: "tls.crt" });
const good = deployment("good");
const never = { signal: new AbortController().signal };

function request(of: { object?: object | undefined; oldObject?: object | undefined }): AdmissionRequest {
  return {
    operation: "UPDATE",
    object: undefined,
    oldObject: undefined,
    ...of,
  } as unknown as AdmissionRequest;
}

const review = (of: Parameters<typeof request>[0]) => createPolicyReviewer(defaultPolicy)(request(of), never);

test("what a rule denies is refused, with the rule, the place and what mends it", async () => {
  expect(await review({ object: stale })).toMatchObject({
    kind: "deny",
    code: 403,
    message: expect.stringMatching(
      /^its certificates could not rotate\n\[subpath\] spec\.template\..*What mends it: mount/,
    ),
    auditAnnotations: { denied: "subpath" },
  });
  expect(await review({ object: good })).toMatchObject({ kind: "allow", warnings: [], auditAnnotations: {} });
});

test("what an object had before an update is warned of, what an update brings is refused", async () => {
  const scaled = { ...stale, spec: { ...(stale as { spec: object }).spec, replicas: 3 } };
  expect(await review({ object: scaled, oldObject: stale })).toMatchObject({
    kind: "allow",
    warnings: [expect.stringMatching(/^\[subpath\] /)],
    auditAnnotations: { warned: "subpath" },
  });
  expect(await review({ object: stale, oldObject: good })).toMatchObject({ kind: "deny" });
});

test("finalizers of an object that is being deleted can be taken away, and a deletion is nobody's business", async () => {
  const leaving = { ...stale, metadata: { name: "stale", deletionTimestamp: "2026-01-01T00:00:00Z" } };
  expect(await review({ object: leaving })).toMatchObject({ kind: "allow" });
  expect(await review({ oldObject: stale })).toMatchObject({ kind: "allow", warnings: [] });
});

test("findings are told of, and a long list of them is cut", async () => {
  const volumes = Array.from({ length: 30 }, (_, index) => ({
    name: `v${index}`,
    secret: { secretName: "web-tls" },
  }));
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/etc/${name}`, subPath: "tls.crt" }));
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "many" },
    spec: { volumes, containers: [{ name: "web", image: "web", volumeMounts }] },
  };
  const told: Finding[] = [];
  const reviewer = createPolicyReviewer(defaultPolicy, (findings) => told.push(...findings));
  const verdict = await reviewer(request({ object }), never);
  expect(verdict).toMatchObject({ kind: "deny", message: expect.stringMatching(/\nand 20 more$/) });
  expect(told.filter(({ rule }) => rule === "subpath")).toHaveLength(30);
});
