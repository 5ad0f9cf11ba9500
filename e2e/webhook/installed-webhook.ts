import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectKube, type KubeClient, type Lease, type Pod, resources, type Secret } from "@newleaf/kube";
import { freePort } from "../../bench/peers/peer.ts";
import { kubeconfigText } from "../kubernetes/kubeconfig.ts";
import type { Kubernetes } from "../kubernetes.ts";
import { until } from "../until.ts";
import { type Front, startFront } from "./front.ts";
import { createReplica, type Replica } from "./replica.ts";
import { startStandInKubelet } from "./stand-in-kubelet.ts";

/** Of deploy/manifests/webhook.yaml: namespace and name of all its objects. */
export const NAMESPACE = "webhook";
export const NAME = "newleaf-webhook";
export const ACCOUNT = `system:serviceaccount:${NAMESPACE}:${NAME}`;

const manifests = new URL("../../deploy/manifests/webhook.yaml", import.meta.url).pathname;

/**
 * What deploy/manifests/webhook.yaml installs, on an API server without nodes: Pods, what they mount, and the Service
 * are stand-ins, and each replica is a webhook of its own, so that every admission is answered by all of them.
 */
export interface InstalledWebhook extends AsyncDisposable {
  readonly admin: KubeClient;
  readonly replicas: readonly Replica[];
  /** Makes the API server shake hands anew. */
  cutConnections(): Promise<void>;
  /** Waits for somebody to lead who runs. */
  leader(except?: Replica): Promise<Replica>;
  secret(name?: string): Promise<Secret | undefined>;
  lease(name?: string): Promise<Lease | undefined>;
  /** Of the webhooks, in base64. */
  caBundles(): Promise<readonly (string | undefined)[]>;
}

export async function installWebhook(kubernetes: Kubernetes, count = 3): Promise<InstalledWebhook> {
  const directory = mkdtempSync(join(tmpdir(), "newleaf-webhook-"));
  const connected = await connectKube({ kubeconfig: kubernetes.kubeconfig, rateLimit: false });
  const admin = connected.client;
  await kubernetes.kubectl(["create", "namespace", NAMESPACE]);
  await kubernetes.kubectl(["apply", "-f", manifests]);
  const token = await kubernetes.kubectl(["create", "token", NAME, "--namespace", NAMESPACE]);
  const kubeconfig = join(directory, "kubeconfig");
  const text = kubeconfigText(kubernetes.url, kubernetes.caFile, { token: token.trim() });
  writeFileSync(kubeconfig, text, { mode: 0o600 });

  const port = await freePort();
  const names = Array.from({ length: count }, (_, index) => `${NAME}-${index}`);
  const hosts = names.map((_, index) => `127.0.1.${index + 1}`);
  const addresses = hosts.map((host) => ({ host, port }));
  for (const [index, name] of names.entries()) await createPod(admin, name, hosts[index] ?? "");
  const mounts = new Map(names.map((name) => [name, join(directory, name)]));
  const labelSelector = `app.kubernetes.io/name=${NAME}`;
  const kubelet = await startStandInKubelet({
    ...{ client: admin, namespace: NAMESPACE, labelSelector, secretName: NAME, mounts },
  });
  const replicas = names.map((name, index) =>
    createReplica({
      ...{ name, address: { host: hosts[index] ?? "", port }, kubeconfig, namespace: NAMESPACE },
      args: ["--certs", mounts.get(name) ?? "", "--ip", "127.0.0.1"],
    }),
  );
  const fronts = await Promise.all(
    addresses.map((_, index) => startFront([...addresses.slice(index), ...addresses.slice(0, index)])),
  );
  await callEach(admin, fronts);

  const get = async <T>(
    resource: { get(name: string): Promise<{ ok: true; value: T } | { ok: false }> },
    name: string,
  ): Promise<T | undefined> => {
    const answer = await resource.get(name);
    return answer.ok ? answer.value : undefined;
  };
  const lease = (name = NAME): Promise<Lease | undefined> =>
    get(admin.resource(resources.leases, { namespace: NAMESPACE }), name);
  return {
    admin,
    replicas,
    lease,
    secret: (name = NAME) => get(admin.resource(resources.secrets, { namespace: NAMESPACE }), name),
    async cutConnections() {
      await Promise.all(fronts.map((front) => front.cut()));
    },
    leader: (except) =>
      until(
        "somebody leads",
        async () => {
          const holder = (await lease(`${NAME}-leader`))?.spec?.holderIdentity;
          return replicas.find((one) => one.name === holder && one.running && one !== except);
        },
        30_000,
      ),
    async caBundles() {
      const configuration = await get(admin.resource(resources.validatingWebhookConfigurations), NAME);
      return (configuration?.webhooks ?? []).map(({ clientConfig }) => clientConfig.caBundle);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(replicas.map((replica) => replica.stop()));
      await Promise.all(fronts.map((front) => front[Symbol.asyncDispose]()));
      await kubelet[Symbol.asyncDispose]();
      await connected[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

async function createPod(admin: KubeClient, name: string, podIP: string): Promise<void> {
  const pods = admin.resource<Pod>(resources.pods, { namespace: NAMESPACE });
  const metadata = { name, labels: { "app.kubernetes.io/name": NAME } };
  const spec = { containers: [{ name: "webhook", image: "newleaf" }] };
  const created = await pods.create({ metadata, spec });
  if (!created.ok) throw new Error(created.status.message);
  const body = { status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] } };
  const patched = await pods.patch(name, { type: "merge", body }, { subresource: "status" });
  if (!patched.ok) throw new Error(patched.status.message);
}

/** The webhook as it is shipped, once for each front, with failurePolicy Fail. */
async function callEach(admin: KubeClient, fronts: readonly Front[]): Promise<void> {
  const configurations = admin.resource(resources.validatingWebhookConfigurations);
  const shipped = await configurations.get(NAME);
  if (!shipped.ok) throw new Error(shipped.status.message);
  const [webhook] = shipped.value.webhooks ?? [];
  if (!webhook) throw new Error("no webhook is shipped");
  const webhooks = fronts.map(({ port }, index) => ({
    ...webhook,
    name: `replica-${index}.${webhook.name}`,
    failurePolicy: "Fail" as const,
    clientConfig: { url: `https://127.0.0.1:${port}/validate` },
  }));
  const updated = await configurations.update({ ...shipped.value, webhooks });
  if (!updated.ok) throw new Error(updated.status.message);
}
