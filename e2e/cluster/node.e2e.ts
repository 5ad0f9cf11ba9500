// The cluster that scenarios run Pods in: Deployments, Secret volumes, Services and webhooks behind them, kubectl, and our
// own image without privileges. Needs: root, containerd, cni, kubernetes, kubernetes-node, node-images; buildah for the image.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, clusterAbsence, newleafImage, startCluster } from "../cluster.ts";
import { component } from "../component.ts";
import { runNewleaf } from "../process.ts";
import { until } from "../until.ts";
import { createEchoApp, hardenedPod } from "./echo-app.ts";

const absence = clusterAbsence();
const app = createEchoApp();
let cluster: Cluster;

describe.skipIf(absence !== undefined)(absence ?? "a cluster of one node", () => {
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.apply(app.secret("first"), app.deployment, app.service);
  }, 200_000);
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  test("two Pods of a Deployment become ready, seen by a watch", async () => {
    await using watch = cluster.startKubectl(["get", "pods", "-l", "app=echo", "--watch", "--no-headers"]);
    await watch.line(/^echo-\S+ +1\/1 +Running/);
    await cluster.kubectl(["rollout", "status", "deployment/echo", "--timeout=30s"]);
    expect(await addresses()).toHaveLength(2);
  });

  test("the Service's address is reached from the host, and each Pod's", async () => {
    const { spec } = await cluster.get<{ spec: { clusterIP: string } }>(["service", "echo"]);
    await until("the Service leads to both Pods", async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => ask(spec.clusterIP)));
      return new Set(answers.map(({ pod }) => pod)).size === 2;
    });
    for (const address of await addresses()) expect(await ask(address)).toMatchObject({ value: "first" });
  });

  test("a changed Secret is in the files of Pods at once when they are annotated", async () => {
    const pods = await addresses();
    await cluster.apply(app.secret("second"));
    const written = performance.now();
    const annotated = cluster.kubectl(["annotate", "pods", "-l", "app=echo", `seen=${randomUUID()}`]);
    const delays = await Promise.all(
      pods.map(async (address) => {
        // Without the annotation it takes kubelet up to 77 s.
        await until("the file has changed", async () => (await ask(address)).value === "second", 10_000);
        return Math.round(performance.now() - written);
      }),
    );
    await annotated;
    console.log(`Secret written to file changed: ${delays.join(", ")} ms`);
  });

  test("kubectl logs and exec work", async () => {
    const pod = (await cluster.kubectl(["get", "pods", "-l", "app=echo", "-o", "name"])).split("\n")[0] ?? "";
    expect(await cluster.kubectl(["logs", pod])).toContain("listening");
    expect(await cluster.kubectl(["exec", pod, "--", "cat", "/etc/echo/value"])).toBe("second");
  });

  test("the API server calls a webhook through its Service", async () => {
    await cluster.apply(app.webhook);
    await until("a ConfigMap is refused by a Pod", async () => {
      const created = cluster.kubectl(["create", "configmap", `refused-${randomUUID()}`]);
      return created.then(
        () => false,
        (error: Error) => /denied the request: refused by echo-/.test(error.message),
      );
    });
    await cluster.kubectl(["delete", "validatingwebhookconfiguration", "echo"]);
  });

  test("the token of a service account has that account's rights", async () => {
    const token = await cluster.serviceAccountToken("default");
    const agent = new Agent({ connect: { ca: readFileSync(cluster.caFile) } });
    const answer = await request(`${cluster.url}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
      dispatcher: agent,
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }),
    });
    expect(await answer.body.json()).toMatchObject({
      status: { userInfo: { username: "system:serviceaccount:default:default" } },
    });
    await agent.close();
  });

  test.skipIf(component("NEWLEAF_BUILDAH") === undefined)(
    "the image runs as any user, with nothing writable and no capability (buildah)",
    async () => {
      await cluster.importImage(await newleafImage());
      await cluster.apply(hardenedPod("newleaf", ["--version"]));
      await cluster.kubectl([
        "wait",
        "pod/newleaf",
        "--for=jsonpath={.status.phase}=Succeeded",
        "--timeout=30s",
      ]);
      expect(await cluster.kubectl(["logs", "newleaf"])).toBe((await runNewleaf(["--version"])).stdout);
    },
    500_000,
  );
});

async function addresses(): Promise<readonly string[]> {
  const { items } = await cluster.get<{ items: { status: { podIP: string } }[] }>(["pods", "-l", "app=echo"]);
  return items.map(({ status }) => status.podIP);
}

/** What the program of echo-app.ts answers. */
async function ask(address: string): Promise<{ pod: string; value: string }> {
  const answer = await fetch(`http://${address}:8080`, {
    headers: { connection: "close" },
    signal: AbortSignal.timeout(5_000),
  });
  return (await answer.json()) as { pod: string; value: string };
}
