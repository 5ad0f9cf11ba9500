import { type KubeClient, resources, valueOrThrow } from "@newleaf/kube";
import type { Kubernetes } from "../e2e/kubernetes.ts";

const namespace = "default";
const writers = 8;

/** Creates `count` Deployments of about 3.5 KB as the API server shows them; nothing runs them. */
export async function createDeployments(client: KubeClient, count: number): Promise<void> {
  const deployments = client.resource(resources.deployments, { namespace });
  await byWriters(count, async (index) => {
    valueOrThrow(await deployments.create(deploymentOf(index)), "create");
  });
}

/** Scales the first `count` of them, as one writes who has only the right to scale. */
export async function scaleDeployments(client: KubeClient, count: number, replicas: number): Promise<void> {
  const deployments = client.resource(resources.deployments, { namespace });
  await byWriters(count, async (index) => {
    const patch = { type: "merge", body: { spec: { replicas } } } as const;
    valueOrThrow(await deployments.patch(nameOf(index), patch, { subresource: "scale" }), "scale");
  });
}

/** The mean size of one as the API server sends it in JSON. */
export async function deploymentKb({ administrator }: Kubernetes): Promise<number> {
  const path = "/apis/apps/v1/deployments?limit=100";
  const { items } = await administrator.request<{ items: readonly object[] }>("GET", path);
  return JSON.stringify(items).length / items.length / 1_000;
}

async function byWriters(count: number, write: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const writer = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await write(index);
  };
  await Promise.all(Array.from({ length: writers }, writer));
}

function nameOf(index: number): string {
  return `deployment-${String(index).padStart(5, "0")}`;
}

function deploymentOf(index: number): object {
  const name = nameOf(index);
  const labels = { app: name, "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels, annotations: { "example.org/description": "d".repeat(120) } },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: "main",
              image: `registry.example.org/shop/${name}:1.0.0`,
              ports: [{ name: "https", containerPort: 8443 }],
              env: Array.from({ length: 5 }, (_, place) => ({
                name: `VARIABLE_${place}`,
                value: "v".repeat(30),
              })),
              resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
              volumeMounts: [{ name: "tls", mountPath: "/etc/tls", readOnly: true }],
            },
          ],
          volumes: [{ name: "tls", secret: { secretName: `${name}-tls` } }],
        },
      },
    },
  };
}
