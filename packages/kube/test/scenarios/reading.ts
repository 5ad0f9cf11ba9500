import { resources } from "@newleaf/kube";
import { expect } from "vitest";
import { configMap } from "./objects.ts";
import { ok, refusal, type Scenario } from "./scenario.ts";

export const reading: readonly Scenario[] = [
  {
    name: "get: an object says what it is, and has a uid, a version and a time of creation",
    async run({ of, namespace }) {
      const created = ok(await of(resources.configMaps).create(configMap("a", { k: "1" })));
      const read = ok(await of(resources.configMaps).get("a"));
      expect(read).toEqual(created);
      expect(read).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", data: { k: "1" } });
      expect(read.metadata).toMatchObject({
        name: "a",
        namespace,
        uid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
        resourceVersion: expect.stringMatching(/^\d+$/),
        creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      });
      expect(read.metadata).not.toHaveProperty("generation");
    },
  },
  {
    name: "get: of what is not there is 404 NotFound with its name and resource",
    async run({ of }) {
      expect(refusal(await of(resources.configMaps).get("nope"))).toMatchObject({
        code: 404,
        reason: "NotFound",
        message: 'configmaps "nope" not found',
        details: { name: "nope", kind: "configmaps" },
      });
      expect(refusal(await of(resources.deployments).get("nope"))).toMatchObject({
        message: 'deployments.apps "nope" not found',
        details: { name: "nope", kind: "deployments", group: "apps" },
      });
    },
  },
  {
    name: 'get: at resourceVersion "0" any state will do',
    async run({ of }) {
      const { metadata } = ok(await of(resources.configMaps).create(configMap("a")));
      const read = await of(resources.configMaps).get("a", {
        resourceVersion: metadata?.resourceVersion ?? "",
      });
      expect(ok(read).metadata?.uid).toBe(metadata?.uid);
      expect(ok(await of(resources.configMaps).get("a", { resourceVersion: "0" })).metadata?.name).toBe("a");
    },
  },
  {
    name: "list: a version later than any is 504 Timeout with its cause, and to be tried again",
    async run({ of }) {
      const future = await of(resources.configMaps).list({ resourceVersion: "99999999999" });
      expect(refusal(future)).toMatchObject({
        code: 504,
        reason: "Timeout",
        message: expect.stringMatching(/^Timeout: Too large resource version: 99999999999, current: \d+$/),
        retryAfterMs: 1_000,
        details: { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }] },
      });
    },
  },
  {
    name: "request: what no API serves is 404, in text",
    async run({ admin, namespace }) {
      const answer = await admin.request({ path: `/api/v1/namespaces/${namespace}/bogus` });
      expect(refusal(answer)).toMatchObject({ code: 404, reason: "NotFound" });
      expect(refusal(await admin.request({ path: "/apis/none.example.com/v1" }))).toMatchObject({
        code: 404,
      });
    },
  },
  {
    name: "request: /version and /readyz",
    async run({ admin }) {
      const version = ok(await admin.request<{ major: string; gitVersion: string }>({ path: "/version" }));
      expect(version).toMatchObject({ major: "1", gitVersion: expect.stringMatching(/^v1\.\d+\.\d+/) });
      expect(ok(await admin.request({ path: "/readyz" }))).toBe("ok");
    },
  },
];
