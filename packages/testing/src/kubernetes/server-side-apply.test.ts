import { expect, test } from "vitest";
import { call, configMaps, deployments, patchType } from "../../test/api-call.ts";
import { createKubernetesApi, type KubernetesApi } from "./kubernetes-api.ts";

const apply = (api: KubernetesApi, path: string, manager: string, body: unknown, query = "") =>
  call(api, "PATCH", `${path}?fieldManager=${manager}${query}`, body, {
    "content-type": "application/apply-patch+yaml",
  });
const configMap = (data: Record<string, string>, finalizers?: string[]) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", ...(finalizers ? { finalizers } : {}) },
  data,
});
const container = (name: string, more: object = {}) => ({ name, image: `${name}:1`, ...more });
const workload = (containers: object[], replicas?: number) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: {
    ...(replicas === undefined ? {} : { replicas }),
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers } },
  },
});

test("apply creates, then changes only what is not so already", async () => {
  const api = createKubernetesApi();
  const created = await apply(api, `${configMaps}/a`, "one", configMap({ k: "1" }));
  expect(created.status).toBe(201);
  expect(created.body.metadata.managedFields).toMatchObject([
    { manager: "one", operation: "Apply", apiVersion: "v1", fieldsV1: { "f:data": { "f:k": {} } } },
  ]);
  const again = await apply(api, `${configMaps}/a`, "one", configMap({ k: "1" }));
  expect([again.status, again.body]).toEqual([200, created.body]);
});

test("a field of another manager with another value is a conflict that names it; force takes it over", async () => {
  const api = createKubernetesApi();
  await apply(api, `${configMaps}/a`, "one", configMap({ k: "1" }));
  const refused = await apply(api, `${configMaps}/a`, "two", configMap({ k: "2" }));
  expect(refused.body).toMatchObject({
    code: 409,
    reason: "Conflict",
    message: 'Apply failed with 1 conflict: conflict with "one": .data.k',
    details: { causes: [{ reason: "FieldManagerConflict", field: ".data.k" }] },
  });
  const forced = await apply(api, `${configMaps}/a`, "two", configMap({ k: "2" }), "&force=true");
  expect(forced.body.data).toEqual({ k: "2" });
  expect(forced.body.metadata.managedFields.map(({ manager }: { manager: string }) => manager)).toEqual([
    "two",
  ]);
});

test("a field that is left out goes, unless somebody else owns it too", async () => {
  const api = createKubernetesApi();
  await apply(api, `${configMaps}/a`, "one", configMap({ mine: "1", both: "1" }));
  await apply(api, `${configMaps}/a`, "two", configMap({ both: "1" }));
  const left = await apply(api, `${configMaps}/a`, "one", configMap({}));
  expect(left.body.data).toEqual({ both: "1" });
  const none = await apply(api, `${configMaps}/a`, "two", configMap({}));
  expect(none.body.data ?? {}).toEqual({});
});

test("containers are owned one by one", async () => {
  const api = createKubernetesApi();
  await apply(api, `${deployments}/web`, "one", workload([container("main")], 2));
  const both = await apply(api, `${deployments}/web`, "two", workload([container("side")]));
  const names = ({ body }: typeof both) =>
    body.spec.template.spec.containers.map(({ name }: { name: string }) => name);
  expect(names(both)).toEqual(["main", "side"]);
  expect(both.body.spec.replicas).toBe(2);
  const less = await apply(
    api,
    `${deployments}/web`,
    "one",
    workload([container("main", { env: [{ name: "A" }] })]),
  );
  expect(names(less)).toEqual(["main", "side"]);
  await apply(api, `${deployments}/web`, "two", { ...workload([]), spec: {} });
  expect(names(await call(api, "GET", `${deployments}/web`))).toEqual(["main"]);
});

test("who scales owns the replicas, which an apply then conflicts with", async () => {
  const api = createKubernetesApi();
  await apply(api, `${deployments}/web`, "one", workload([container("main")], 1));
  await call(
    api,
    "PATCH",
    `${deployments}/web/scale?fieldManager=scaler`,
    { spec: { replicas: 3 } },
    patchType("merge-patch"),
  );
  const refused = await apply(api, `${deployments}/web`, "one", workload([container("main")], 1));
  expect(refused.body.message).toBe(
    'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
  );
  expect(
    (await apply(api, `${deployments}/web`, "one", workload([container("main")]))).body.spec.replicas,
  ).toBe(3);
});

test("apply needs a field manager and no managedFields", async () => {
  const api = createKubernetesApi();
  const headers = { "content-type": "application/apply-patch+yaml" };
  expect((await call(api, "PATCH", `${configMaps}/a`, configMap({}), headers)).body).toMatchObject({
    code: 422,
    message:
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  });
});
