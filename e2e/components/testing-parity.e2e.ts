// The same requests to the Kubernetes API of packages/testing and to the real kube-apiserver: both answer alike.
// What packages/kube does with either is in kube-parity.e2e.ts. Needs: etcd, kubernetes.
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { type KubernetesApi, startKubernetesApi } from "@newleaf/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Kubernetes, kubernetesProgram, startKubernetes } from "../kubernetes.ts";

type Step = readonly [method: string, path: string, body?: unknown, contentType?: string];
interface Server {
  readonly url: string;
  readonly ca: string;
  readonly token: string;
}

const core = "/api/v1/namespaces/parity";
const maps = `${core}/configmaps`;
const deployments = "/apis/apps/v1/namespaces/parity/deployments";
const leases = "/apis/coordination.k8s.io/v1/namespaces/parity/leases";
const hooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const merge = "application/merge-patch+json";
const strategic = "application/strategic-merge-patch+json";
const json = "application/json-patch+json";
const apply = "application/apply-patch+yaml";

const configMap = (name: string, more: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  ...more,
});
const containers = [
  {
    name: "c",
    image: "i",
    env: [
      { name: "A", value: "b" },
      { name: "B", value: "c" },
    ],
    ports: [{ containerPort: 80 }],
  },
  { name: "d", image: "i:2" },
];
const labels = { a: "b" };
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "d" },
  spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
};
const podSpec = (changed: object): object => ({ spec: { template: { spec: { containers: [changed] } } } });
const webhook = (more: object = {}): object => ({
  metadata: { name: "parity" },
  webhooks: [
    {
      name: "a.b.c",
      clientConfig: { url: "https://127.0.0.1:1/x" },
      rules: [{ apiGroups: ["none"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["x"] }],
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      ...more,
    },
  ],
});

const scripts: Readonly<Record<string, readonly Step[]>> = {
  "objects are created, replaced, patched and deleted": [
    ["POST", maps, configMap("a", { data: { k: "v" } })],
    ["POST", maps, configMap("a")],
    ["POST", maps, { metadata: {} }],
    ["POST", maps, configMap("A_", { data: { "x/": "1" } })],
    ["POST", maps, { metadata: { name: "b", resourceVersion: "5" } }],
    ["POST", maps, { metadata: { name: "b", namespace: "other" } }],
    ["POST", "/api/v1/namespaces/nowhere/configmaps", configMap("a")],
    ["POST", `${maps}?dryRun=All`, configMap("dry")],
    ["GET", `${maps}/dry`],
    ["PATCH", `${maps}/a`, { data: { z: "1" } }, strategic],
    ["PATCH", `${maps}/a`, { metadata: { resourceVersion: "1" } }, merge],
    ["PATCH", `${maps}/a`, { metadata: { name: "b" } }, merge],
    ["PATCH", `${maps}/a`, [{ op: "add", path: "/data/q", value: "1" }], json],
    ["PATCH", `${maps}/a`, [{ op: "remove", path: "/data/none" }], json],
    ["PATCH", `${maps}/a`, [], merge],
    ["PATCH", `${maps}/a`, {}],
    ["PUT", `${maps}/a`, { metadata: { name: "a", resourceVersion: "1" } }],
    ["PUT", `${maps}/a`, { metadata: { name: "a", uid: "11111111-1111-1111-1111-111111111111" } }],
    ["PUT", `${maps}/a`, { metadata: { name: "b" } }],
    ["PUT", `${maps}/none`, configMap("none")],
    ["DELETE", `${maps}/a`, { preconditions: { uid: "x" } }],
    ["DELETE", `${maps}/a`],
    ["DELETE", `${maps}/a`],
  ],
  "finalizers and immutable data hold": [
    ["POST", maps, { metadata: { name: "f", finalizers: ["x"] } }],
    ["POST", maps, { metadata: { name: "f", finalizers: ["x.io/y"] } }],
    ["DELETE", `${maps}/f`],
    ["PATCH", `${maps}/f`, { data: { a: "b" } }, merge],
    ["PATCH", `${maps}/f`, { metadata: { finalizers: null } }, merge],
    ["GET", `${maps}/f`],
    ["POST", maps, configMap("g")],
    ["DELETE", `${maps}/g?propagationPolicy=Orphan`],
    ["PATCH", `${maps}/g`, { metadata: { finalizers: null } }, merge],
    ["POST", maps, configMap("im", { immutable: true, data: { a: "b" } })],
    ["PATCH", `${maps}/im`, { data: { a: "c" } }, merge],
    ["PATCH", `${maps}/im`, { immutable: false }, merge],
    ["DELETE", `${maps}/im`],
  ],
  "lists and watches": [
    ["POST", maps, { metadata: { name: "a", labels: { tier: "x" } } }],
    ["GET", `${maps}?labelSelector=tier%20in%20(x,y),!none`],
    ["GET", `${maps}?labelSelector=tier!%3Dx`],
    ["GET", `${maps}?fieldSelector=metadata.name%3Da`],
    ["GET", `${maps}?fieldSelector=data.k%3Dv`],
    ["GET", `${maps}?labelSelector=a==b==c`],
    ["GET", `${maps}?limit=1&resourceVersion=0`],
    ["GET", `${maps}?limit=x`],
    ["GET", `${maps}?continue=abc`],
    ["GET", `${maps}?resourceVersion=x`],
    ["GET", `${maps}?resourceVersion=99999999`],
    ["GET", `${maps}?resourceVersionMatch=Exact`],
    ["GET", `${maps}?resourceVersion=0&resourceVersionMatch=Exact`],
    ["GET", `${maps}?watch=1&sendInitialEvents=true`],
    ["GET", `${maps}?watch=1&timeoutSeconds=1`],
    [
      "GET",
      `${maps}?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    ],
    ["DELETE", `${maps}/a`],
  ],
  "Secrets and Leases": [
    ["POST", `${core}/secrets`, { metadata: { name: "s" }, data: { a: "b" } }],
    ["POST", `${core}/secrets`, { metadata: { name: "s" }, data: { a: "YQ==" }, stringData: { b: "c" } }],
    ["PATCH", `${core}/secrets/s`, { type: "x" }, merge],
    ["POST", `${core}/secrets`, { metadata: { name: "t" }, type: "kubernetes.io/tls", data: {} }],
    ["PUT", `${leases}/l`, { metadata: { name: "l" }, spec: { holderIdentity: "a" } }],
    ["PUT", `${leases}/l`, { metadata: { name: "l" }, spec: { holderIdentity: "b" } }],
    ["PATCH", `${leases}/l`, { spec: { holderIdentity: "", leaseDurationSeconds: 1 } }, merge],
    ["PATCH", `${leases}/l`, { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } }, merge],
    ["PATCH", `${leases}/l`, { spec: { renewTime: "2020-01-01T00:00:00Z" } }, merge],
  ],
  "Deployments, their scale, and who owns what": [
    ["POST", deployments, { metadata: { name: "d" }, spec: {} }],
    ["POST", deployments, deployment],
    [
      "PATCH",
      `${deployments}/d`,
      podSpec({
        name: "c",
        env: [
          { name: "A", $patch: "delete" },
          { name: "C", value: "d" },
        ],
      }),
      strategic,
    ],
    ["PATCH", `${deployments}/d`, podSpec({ name: "new", image: "x:1" }), strategic],
    ["PATCH", `${deployments}/d`, { spec: { selector: { matchLabels: { a: "z" } } } }, merge],
    ["PATCH", `${deployments}/d/status`, { status: { replicas: 7 }, spec: { replicas: 9 } }, merge],
    ["PATCH", `${deployments}/d/scale`, { spec: { replicas: 3 } }, merge],
    ["PUT", `${deployments}/d/scale`, { metadata: { name: "d" }, spec: { replicas: -5 } }],
    ["GET", `${deployments}/d/scale`],
    ["PATCH", `${deployments}/d?fieldManager=m1`, { ...deployment, spec: { replicas: 4 } }, apply],
    ["PATCH", `${deployments}/d?fieldManager=m1&force=true`, { ...deployment, spec: { replicas: 4 } }, apply],
    ["PATCH", `${deployments}/d?fieldManager=m2`, { ...deployment, spec: { replicas: 5 } }, apply],
    ["PATCH", `${deployments}/d`, deployment, apply],
    ["GET", `${deployments}/d`],
    ["DELETE", `${deployments}/d`],
  ],
  "webhook configurations": [
    ["POST", hooks, webhook({ sideEffects: "Some", timeoutSeconds: 31, name: "x" })],
    ["POST", hooks, webhook({ clientConfig: {} })],
    ["POST", hooks, webhook({ clientConfig: { url: "http://x" } })],
    ["POST", hooks, webhook()],
    ["PUT", `${hooks}/parity`, webhook()],
    [
      "PATCH",
      `${hooks}/parity`,
      { webhooks: [{ name: "a.b.c", clientConfig: { caBundle: "YQ==" } }] },
      strategic,
    ],
    [
      "PATCH",
      `${hooks}/parity`,
      { webhooks: [{ name: "a.b.c", clientConfig: { caBundle: "" } }] },
      strategic,
    ],
    ["DELETE", `${hooks}/parity`],
  ],
  "what is not there, and what is not allowed": [
    ["GET", `${core}/nothing`],
    ["GET", "/apis/none/v1/foos"],
    ["GET", "/none"],
    ["POST", `${maps}/a`, configMap("a")],
    ["PUT", maps, configMap("a")],
    ["DELETE", "/api/v1/namespaces/default"],
    ["POST", `${core}/serviceaccounts/none/token`, { spec: {} }],
    ["POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: "x" } }],
  ],
};

describe.skipIf(!kubernetesProgram())("both APIs answer alike (needs: etcd, kubernetes)", () => {
  let real: Kubernetes;
  let ours: KubernetesApi & { readonly url: string; readonly listener: { readonly caPem: string } };
  let servers: readonly [Server, Server];

  beforeAll(async () => {
    real = await startKubernetes();
    ours = await startKubernetesApi({ authorization: "rbac" });
    const everything = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }];
    const { token } = await real.serviceAccount({
      name: "parity",
      clusterRules: [...everything, { nonResourceURLs: ["*"], verbs: ["*"] }],
    });
    servers = [
      { url: real.url, ca: readFileSync(real.caFile, "utf8"), token },
      { url: ours.url, ca: ours.listener.caPem, token: ours.token("admin") },
    ];
    for (const server of servers)
      await send(server, ["POST", "/api/v1/namespaces", { metadata: { name: "parity" } }]);
  });
  afterAll(async () => {
    await ours?.[Symbol.asyncDispose]();
    await real?.[Symbol.asyncDispose]();
  });

  test.each(Object.entries(scripts))("%s", async (_name, steps) => {
    for (const step of steps) {
      const [theirs, own] = [await send(servers[0], step), await send(servers[1], step)];
      expect(own, step.slice(0, 3).map(String).join(" ")).toEqual(theirs);
    }
  });
});

async function send(server: Server, [method, path, body, type = "application/json"]: Step): Promise<unknown> {
  const octets = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${server.token}`,
    "content-type": type,
    "user-agent": "parity/1",
    ...(octets === undefined ? {} : { "content-length": Buffer.byteLength(octets) }),
  };
  const [status, text] = await new Promise<[number, string]>((resolve, reject) => {
    const outgoing = request(
      server.url + path,
      { method, headers, ca: server.ca, agent: false },
      (response) => {
        let received = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          received += chunk;
        });
        response.on("end", () => resolve([response.statusCode ?? 0, received])).on("error", reject);
      },
    );
    outgoing.on("error", reject).end(octets);
  });
  const lines = /[?&]watch=/.test(path) && status === 200 ? text.trim().split("\n").filter(Boolean) : [text];
  return [status, ...lines.map((line) => (line.startsWith("{") ? withoutPassing(JSON.parse(line)) : line))];
}

/** Without what is of one server or one moment; of refusals what clients go by. */
function withoutPassing(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPassing);
  if (typeof value !== "object" || value === null) return value;
  const object = value as Record<string, unknown>;
  if (object.kind === "Status" && object.status === "Failure") {
    const { causes, ...details } = (object.details ?? {}) as {
      causes?: { field?: string; reason?: string }[];
    };
    const fields = causes?.map(({ field, reason }) => `${field} ${reason}`);
    return { code: object.code, reason: object.reason, details, causes: fields };
  }
  return Object.fromEntries(
    Object.entries(object)
      .filter(([field]) => !passing.has(field))
      .map(([field, item]) => [field, withoutPassing(item)]),
  );
}

const passing = new Set([
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "deletionTimestamp",
  "managedFields",
]);
