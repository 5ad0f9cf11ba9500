import { expect, test } from "vitest";
import {
  call,
  configMap,
  configMaps,
  deployment,
  deployments,
  leases,
  patchType,
} from "../../test/api-call.ts";
import { createManualClock } from "../manual-clock.ts";
import type { JsonObject } from "./json.ts";
import { createKubernetesApi } from "./kubernetes-api.ts";

test("what was created can be read, replaced and deleted, each time at a later version", async () => {
  const api = createKubernetesApi();
  const created = await call(api, "POST", configMaps, configMap("a", { k: "1" }));
  expect(created.status).toBe(201);
  const read = await call(api, "GET", `${configMaps}/a`);
  expect(read.body).toEqual(created.body);
  const replaced = await call(api, "PUT", `${configMaps}/a`, { ...read.body, data: { k: "2" } });
  expect(replaced.status).toBe(200);
  expect(replaced.body.metadata.uid).toBe(created.body.metadata.uid);
  expect(Number(replaced.body.metadata.resourceVersion)).toBeGreaterThan(
    Number(created.body.metadata.resourceVersion),
  );
  const stale = await call(api, "PUT", `${configMaps}/a`, read.body);
  expect([stale.status, stale.body.reason]).toEqual([409, "Conflict"]);
  const deleted = await call(api, "DELETE", `${configMaps}/a`);
  expect([deleted.status, deleted.body.status]).toEqual([200, "Success"]);
  expect((await call(api, "GET", `${configMaps}/a`)).body).toMatchObject({
    message: 'configmaps "a" not found',
    reason: "NotFound",
    code: 404,
  });
});

test("a write that changes nothing keeps the version, and only a change of the spec counts in the generation", async () => {
  const api = createKubernetesApi();
  const created = await call(api, "POST", deployments, deployment("web"));
  const again = await call(api, "PUT", `${deployments}/web`, created.body);
  expect(again.body.metadata.resourceVersion).toBe(created.body.metadata.resourceVersion);
  const merge = patchType("merge-patch");
  const labelled = await call(
    api,
    "PATCH",
    `${deployments}/web`,
    { metadata: { labels: { a: "b" } } },
    merge,
  );
  expect(labelled.body.metadata.generation).toBe(1);
  const status = await call(api, "PATCH", `${deployments}/web/status`, { status: { replicas: 1 } }, merge);
  expect([status.body.metadata.generation, status.body.status.replicas]).toEqual([1, 1]);
  const scaled = await call(api, "PATCH", `${deployments}/web/scale`, { spec: { replicas: 3 } }, merge);
  expect(scaled.body.spec.replicas).toBe(3);
  expect((await call(api, "GET", `${deployments}/web`)).body.metadata.generation).toBe(2);
});

test("a Lease is only updated at a version, and a PUT creates it", async () => {
  const api = createKubernetesApi();
  const lease = { metadata: { name: "l" }, spec: { holderIdentity: "a" } };
  expect((await call(api, "PUT", `${leases}/l`, lease)).status).toBe(201);
  expect((await call(api, "PUT", `${leases}/l`, lease)).body).toMatchObject({
    code: 422,
    message:
      'leases.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
  });
});

test("pages show one state, whatever changes between them, until that state is forgotten", async () => {
  const api = createKubernetesApi();
  for (const name of ["a", "b", "c"]) await call(api, "POST", configMaps, configMap(name));
  const first = await call(api, "GET", `${configMaps}?limit=2`);
  expect(first.body.metadata.remainingItemCount).toBe(1);
  await call(api, "DELETE", `${configMaps}/c`);
  const next = `${configMaps}?limit=2&continue=${first.body.metadata.continue}`;
  const second = await call(api, "GET", next);
  expect(second.body.items.map((item: JsonObject) => (item.metadata as JsonObject).name)).toEqual(["c"]);
  expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
  api.restart({ history: "lost" });
  await call(api, "POST", configMaps, configMap("d"));
  expect((await call(api, "GET", next)).body).toMatchObject({ code: 410, reason: "Expired" });
});

test("a watch tells what changed after its version, and objects that enter and leave its selector", async () => {
  const clock = createManualClock();
  const api = createKubernetesApi({ clock });
  const before = api.store.resourceVersion;
  await call(api, "POST", configMaps, configMap("a", {}, { tier: "x" }));
  const watched = call(
    api,
    "GET",
    `${configMaps}?watch=true&resourceVersion=${before}&labelSelector=tier%3Dx&timeoutSeconds=10&allowWatchBookmarks=true`,
  );
  await clock.advance(0);
  await call(api, "PATCH", `${configMaps}/a`, { data: { k: "v" } }, patchType("merge-patch"));
  await call(
    api,
    "PATCH",
    `${configMaps}/a`,
    { metadata: { labels: { tier: "y" } } },
    patchType("merge-patch"),
  );
  await call(
    api,
    "PATCH",
    `${configMaps}/a`,
    { metadata: { labels: { tier: "x" } } },
    patchType("merge-patch"),
  );
  await call(api, "DELETE", `${configMaps}/a`);
  await clock.advance(10_000);
  const { lines } = await watched;
  expect(lines.map(({ type }) => type)).toEqual(["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]);
  const versions = lines.map(({ object }) => Number(object.metadata.resourceVersion));
  expect(versions).toEqual([...versions].sort((a, b) => a - b));
  expect(api.watches).toBe(0);
});
