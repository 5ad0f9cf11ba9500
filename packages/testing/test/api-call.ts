import type { JsonObject } from "../src/kubernetes/json.ts";
import type { KubernetesApi } from "../src/kubernetes/kubernetes-api.ts";

export const configMaps = "/api/v1/namespaces/default/configmaps";
export const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
export const deployments = "/apis/apps/v1/namespaces/default/deployments";

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of tests are read as they come
  readonly body: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly lines: readonly any[];
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** One request and its whole answer; of a watch `lines`. */
export async function call(
  api: Pick<KubernetesApi, "handle">,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await api.handle({
    method,
    path,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: new AbortController().signal,
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith("{") && !/[?&]watch=/.test(path) ? JSON.parse(text) : text,
    lines: /[?&]watch=/.test(path)
      ? text
          .trim()
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.parse(line))
      : [],
  };
}

export const patchType = (kind: string): Record<string, string> => ({
  "content-type": `application/${kind}+json`,
});

export const configMap = (
  name: string,
  data: Record<string, string> = {},
  labels?: Record<string, string>,
) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, ...(labels ? { labels } : {}) },
  data,
});

export const deployment = (name: string, replicas = 1): JsonObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default" },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "main", image: "main:1" }] },
    },
  },
});
