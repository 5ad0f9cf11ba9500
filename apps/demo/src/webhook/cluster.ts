import { rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createKubeClient, type KubeClient, systemClock, valueOrThrow } from "@newleaf/kube";
import {
  type ApiListener,
  type AtomicVolume,
  createAtomicVolume,
  createKubelet,
  type KubernetesApi,
  kubeletVolumePath,
  startKubernetesApi,
} from "@newleaf/testing";
import { API_USER, clusterObjects, NAME, NAMESPACE, NODE, SHOP, VOLUME } from "./cluster-objects.ts";

/** Told of each of the kubelet's swaps in a Pod's volume, and how long ago it was. */
export type OnSync = (pod: string, files: Readonly<Record<string, Buffer>>, agoMs: number) => void;

/** An API server over HTTPS with RBAC, a node with a kubelet, and nothing of a certificate yet. */
export interface Cluster extends AsyncDisposable {
  readonly api: KubernetesApi;
  /** May do everything. */
  readonly admin: KubeClient;
  /** Of the user who sends manifests. */
  readonly userKubeconfig: string;
  /** The Service's endpoints; reviews go to each in turn. */
  readonly endpoints: Map<string, Endpoint>;
  /** Where a Pod has its volume. */
  certificates(pod: string): string;
  /** An API endpoint for a replica alone, and a kubeconfig for it with a token of the webhook's ServiceAccount. */
  connectPod(pod: string): Promise<{ readonly kubeconfig: string; readonly listener: ApiListener }>;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** How long API servers go on with a webhook configuration that was changed; `--settle` is there for it. */
export const CONFIG_DELAY_MS = 200;
/** Longer than any demo. */
const TOKEN_SECONDS = 90_000;

export async function startCluster(onSync: OnSync): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-demo-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  const endpoints = new Map<string, Endpoint>();
  let turn = 0;
  const api = await startKubernetesApi({
    authorization: "rbac",
    webhookConfigDelayMs: CONFIG_DELAY_MS,
    resolveService(namespace, name) {
      if (namespace !== NAMESPACE || name !== NAME) return undefined;
      const ready = [...endpoints.values()];
      turn += 1;
      return ready[turn % ready.length];
    },
  });
  for (const [resource, object] of clusterObjects()) api.store.create(resource, object);
  const admin = createKubeClient({ transport: api.transport({ user: "admin" }), rateLimit: false });
  const certificates = (pod: string): string => kubeletVolumePath(directory, pod, VOLUME, NAMESPACE);
  const volumes = new Map<string, AtomicVolume>();
  const writing = new Set<Promise<void>>();
  const swap = async (pod: string, files: Readonly<Record<string, Buffer>>): Promise<void> => {
    const volume = volumes.get(pod) ?? (await createAtomicVolume(certificates(pod)));
    volumes.set(pod, volume);
    const { swappedAt } = await volume.write(files);
    onSync(pod, files, Date.now() - swappedAt.getTime());
  };
  const kubelet = createKubelet({
    store: api.store,
    clock: systemClock,
    random: Math.random,
    nodeName: NODE,
    write({ metadata: { name: pod = "" } }, _volume, files) {
      const swapping: Promise<void> = swap(pod, files).finally(() => writing.delete(swapping));
      writing.add(swapping);
      return swapping;
    },
  });
  // Until the API server has heard of the configuration it would ask nobody.
  await sleep(2 * CONFIG_DELAY_MS);
  const userKubeconfig = join(directory, "kubeconfig");
  const ofUser = api.kubeconfig({ user: API_USER, namespace: SHOP });
  await writeFile(userKubeconfig, ofUser, { mode: 0o600 });

  return {
    api,
    admin,
    userKubeconfig,
    endpoints,
    certificates,
    async connectPod(pod) {
      const listener = await api.listen();
      const kubeconfig = join(directory, `kubeconfig-${pod}`);
      const content = podKubeconfig(listener, await requestToken(admin));
      await writeFile(kubeconfig, content, { mode: 0o600 });
      return { kubeconfig, listener };
    },
    async [Symbol.asyncDispose]() {
      kubelet[Symbol.dispose]();
      await Promise.all(writing);
      await admin[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
      process.off("exit", remove);
    },
  };
}

/** As the kubelet gets it for a Pod. */
async function requestToken(admin: KubeClient): Promise<string> {
  const answer = await admin.request<{ readonly status: { readonly token: string } }>({
    method: "POST",
    path: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${NAME}/token`,
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: TOKEN_SECONDS },
    },
  });
  return valueOrThrow(answer, "no token for the replica").status.token;
}

function podKubeconfig(listener: ApiListener, token: string): string {
  const authority = Buffer.from(listener.caPem).toString("base64");
  const [cluster, user] = ["demo", NAME];
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: cluster, cluster: { server: listener.url, "certificate-authority-data": authority } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: "pod", context: { cluster, user, namespace: NAMESPACE } }],
    "current-context": "pod",
  });
}
