import { expect, test } from "vitest";
import { call, configMap, configMaps, leases } from "../../test/api-call.ts";
import type { JsonObject } from "./json.ts";
import { createKubernetesApi, type KubernetesApi } from "./kubernetes-api.ts";

function setUp(rules: JsonObject[]): { api: KubernetesApi; as: (user: string) => Record<string, string> } {
  const api = createKubernetesApi({ authorization: "rbac" });
  const metadata = { name: "follower", namespace: "default" };
  api.store.create("serviceaccounts", { metadata });
  api.store.create("roles.rbac.authorization.k8s.io", { metadata, rules });
  api.store.create("rolebindings.rbac.authorization.k8s.io", {
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "follower" },
    subjects: [{ kind: "ServiceAccount", name: "follower", namespace: "default" }],
  });
  return { api, as: (user) => ({ authorization: `Bearer ${api.token(user)}` }) };
}
const follower = "system:serviceaccount:default:follower";

test("a rule for one name allows to read it, and to watch it by a field selector", async () => {
  const rule = {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    resourceNames: ["serving"],
    verbs: ["get", "watch"],
  };
  const { api, as } = setUp([rule]);
  api.store.create("leases.coordination.k8s.io", { metadata: { name: "serving" } });
  api.restart({ history: "lost" });
  const expired = "watch=1&resourceVersion=1&fieldSelector=metadata.name%3Dserving";
  expect((await call(api, "GET", `${leases}/serving`, undefined, as(follower))).status).toBe(200);
  expect((await call(api, "GET", `${leases}?${expired}`, undefined, as(follower))).status).toBe(200);
  expect(
    (await call(api, "GET", `${leases}?watch=1&resourceVersion=1`, undefined, as(follower))).status,
  ).toBe(403);
  expect((await call(api, "GET", `${leases}/other`, undefined, as(follower))).body.message).toBe(
    'leases.coordination.k8s.io "other" is forbidden: User "system:serviceaccount:default:follower" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "default"',
  );
});

test("a TokenRequest makes a token that is good until it expires or its account is gone", async () => {
  const { api, as } = setUp([{ apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }]);
  const path = "/api/v1/namespaces/default/serviceaccounts/follower/token";
  const issued = await call(api, "POST", path, { spec: { expirationSeconds: 600 } }, as("admin"));
  const bearer = { authorization: `Bearer ${issued.body.status.token}` };
  expect((await call(api, "POST", configMaps, configMap("a"), bearer)).status).toBe(201);
  api.faults.skewMs = 601_000;
  expect((await call(api, "POST", configMaps, configMap("b"), bearer)).status).toBe(401);
  api.faults.skewMs = 0;
  api.store.delete("serviceaccounts", "default", "follower");
  expect((await call(api, "POST", configMaps, configMap("b"), bearer)).status).toBe(401);
});

test("who may impersonate is treated as who they name", async () => {
  const { api, as } = setUp([{ apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }]);
  const asFollower = { ...as("admin"), "impersonate-user": follower };
  expect((await call(api, "POST", configMaps, configMap("a"), asFollower)).status).toBe(201);
  expect((await call(api, "GET", configMaps, undefined, asFollower)).status).toBe(403);
  expect(api.audit.entries.at(-1)).toMatchObject({
    user: follower,
    verb: "list",
    resource: "configmaps",
    code: 403,
  });
  const other = { ...as("bob"), "impersonate-user": follower };
  expect((await call(api, "POST", configMaps, configMap("b"), other)).body.message).toContain(
    'cannot impersonate resource "serviceaccounts"',
  );
});

test("a CustomResourceDefinition serves its resource until it is deleted", async () => {
  const api = createKubernetesApi();
  const foos = "/apis/x.io/v1/namespaces/default/foos";
  const foo = { apiVersion: "x.io/v1", kind: "Foo", metadata: { name: "a" }, spec: { k: 1 } };
  expect((await call(api, "POST", foos, foo)).status).toBe(404);
  api.store.create("customresourcedefinitions.apiextensions.k8s.io", {
    metadata: { name: "foos.x.io" },
    spec: {
      group: "x.io",
      names: { plural: "foos", kind: "Foo" },
      scope: "Namespaced",
      versions: [{ name: "v1", served: true, storage: true }],
    },
  });
  expect((await call(api, "POST", foos, foo)).body.metadata.generation).toBe(1);
  expect((await call(api, "GET", foos)).body.items[0]).toMatchObject({ kind: "Foo", spec: { k: 1 } });
  expect((await call(api, "GET", "/apis/x.io/v1")).body.resources[0]).toMatchObject({
    name: "foos",
    kind: "Foo",
  });
  api.store.delete("customresourcedefinitions.apiextensions.k8s.io", undefined, "foos.x.io");
  expect((await call(api, "GET", foos)).status).toBe(404);
});
