// The behaviours that packages/testing's Kubernetes API is held to, against the real one: where they fail here the list
// is wrong, and where they fail there ours is. Needs: etcd, kubernetes.
import {
  connectKube,
  createKubeClient,
  createKubeTransport,
  type KubeClient,
  type KubeTransport,
  loadKubeconfig,
  resources,
  selectFields,
  valueOrThrow,
} from "@newleaf/kube";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

  // Without it the scenarios of selected fields would compare JSON with JSON.
  test("answers selected fields in protobuf", async () => {
    const types = new Set<string | undefined>();
    const transport = createKubeTransport(await loadKubeconfig({ path: kubernetes.kubeconfig }));
    opened.push(transport);
    const watched: KubeTransport = {
      ...transport,
      async send(request) {
        const response = await transport.send(request);
        types.add(response.headers["content-type"]);
        return response;
      },
    };
    const client = createKubeClient({ transport: watched });
    const leases = client.resource(selectFields(resources.leases, { spec: { renewTime: true } }));
    const { resourceVersion } = valueOrThrow(await leases.list(), "list").metadata;
    const watch = valueOrThrow(await leases.watch({ resourceVersion, timeoutSeconds: 60 }), "watch");
    await watch.return?.();
    expect([...types]).toEqual([
      "application/vnd.kubernetes.protobuf",
      "application/vnd.kubernetes.protobuf;stream=watch",
    ]);
  });

  for (const scenario of scenarios) {
    test(scenario.name, () => runScenario(scenario, server), scenario.timeoutMs ?? 60_000);
  }
});
