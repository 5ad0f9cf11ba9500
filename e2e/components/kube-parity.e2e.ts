// The behaviours that packages/testing's Kubernetes API is held to, against the real one: where they fail here the list
// is wrong, and where they fail there ours is. Needs: etcd, kubernetes.
import {
  connectKube,
  createKubeClient,
  createKubeTransport,
  type KubeClient,
  loadKubeconfig,
} from "@newleaf/kube";
import { afterAll, beforeAll, describe, test } from "vitest";
import { runScenario, type ScenarioServer, scenarios } from "../../packages/kube/test/scenarios/index.ts";
import { type Kubernetes, kubernetesProgram, startKubernetes } from "../kubernetes.ts";

describe.skipIf(kubernetesProgram() === undefined)("kube-apiserver (needs: etcd, kubernetes)", () => {
  let kubernetes: Kubernetes;
  let server: ScenarioServer;
  const opened: AsyncDisposable[] = [];

  beforeAll(async () => {
    kubernetes = await startKubernetes();
    const as = async (kubeconfig: string): Promise<KubeClient> => {
      const connected = await connectKube({ kubeconfig, rateLimit: false });
      opened.push(connected);
      return connected.client;
    };
    const config = await loadKubeconfig({ path: kubernetes.kubeconfig });
    server = {
      admin: await as(kubernetes.kubeconfig),
      alice: await as(kubernetes.user("alice", ["dev"]).kubeconfig),
      withToken: (token) => {
        const tls = { ca: config.tls.ca };
        const transport = createKubeTransport({ ...config, tls, user: { token } });
        opened.push(transport);
        return createKubeClient({ transport });
      },
      async forgetHistory() {
        await kubernetes.compact();
        // The cache of watches goes back further than etcd. A graceful end would wait for open watches.
        await kubernetes.kill();
        await kubernetes.start();
      },
    };
  });
  afterAll(async () => {
    for (const item of opened) await item[Symbol.asyncDispose]();
    await kubernetes?.[Symbol.asyncDispose]();
  });

  for (const scenario of scenarios) {
    test(scenario.name, () => runScenario(scenario, server), scenario.timeoutMs ?? 60_000);
  }
});
