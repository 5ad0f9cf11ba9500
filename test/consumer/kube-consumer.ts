// Of an operator author who installed @newleaf/kube and @newleaf/webhook: a request, an informer, an admission handler.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connectKube, electLeader, type ResourceClient, resources, startInformer } from "@newleaf/kube";
import type { IdentitySource } from "@newleaf/rotation";
import { createAdmissionHandler, followCertificate, leadCertificate, verdict } from "@newleaf/webhook";
import type { Deployment } from "kubernetes-types/apps/v1.js";

const shop = { metadata: { name: "shop", namespace: "web", resourceVersion: "7" }, spec: { replicas: 2 } };
const list = {
  kind: "DeploymentList",
  apiVersion: "apps/v1",
  metadata: { resourceVersion: "7" },
  items: [shop],
};
const server = createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  if (request.url?.includes("watch=true")) response.flushHeaders();
  else response.end(JSON.stringify(list));
}).listen(0, "127.0.0.1");
await once(server, "listening");

const { port } = server.address() as AddressInfo;
process.env.KUBECONFIG = "kubeconfig.yaml";
const { writeFile } = await import("node:fs/promises");
const cluster = { name: "c", cluster: { server: `http://127.0.0.1:${port}` } };
const context = { name: "x", context: { cluster: "c", user: "u", namespace: "web" } };
await writeFile(
  "kubeconfig.yaml",
  JSON.stringify({
    "current-context": "x",
    clusters: [cluster],
    users: [{ name: "u", user: {} }],
    contexts: [context],
  }),
);
const kube = await connectKube({ env: process.env });
const deployments: ResourceClient<Deployment> = kube.client.resource(resources.deployments, {
  namespace: kube.namespace,
});
const informer = startInformer({ resource: deployments });
await informer.whenSynced(AbortSignal.timeout(10_000));
assert.equal(informer.get("web/shop")?.spec?.replicas, 2);
await informer[Symbol.asyncDispose]();
await kube[Symbol.asyncDispose]();
server.closeAllConnections();
server.close();

assert.equal(typeof createAdmissionHandler({ validate: () => verdict.allow() }), "function");
/** The types of an operator of one's own fit together. */
export async function operate(signal: AbortSignal): Promise<IdentitySource> {
  const { client, namespace } = kube;
  const leases = client.resource(resources.leases, { namespace });
  const identity = "pod-1";
  void electLeader({
    ...{ leases, name: "hook-leader", identity, signal },
    lead: (leadership) =>
      leadCertificate({
        ...{ client, namespace, name: "hook", identity, leadership },
        serving: { dnsNames: ["hook.web.svc"] },
        targets: [{ kind: "ValidatingWebhookConfiguration", name: "hook" }],
      }),
  });
  return followCertificate({ leases, name: "hook", mount: "/etc/hook", signal });
}
