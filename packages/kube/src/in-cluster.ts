import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { KubeError } from "./error.ts";
import { hostPort } from "./internal/server-url.ts";
import type { KubeConfig } from "./kube-config.ts";
import type { Environment } from "./kubeconfig.ts";

export interface InClusterOptions {
  /** For KUBERNETES_SERVICE_HOST and _PORT. */
  readonly env: Environment;
  /** Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly directory?: string | undefined;
}

/** The API server as a Pod sees it, with its service account. Rejects with ERR_KUBE_CONFIG outside of a Pod. */
export async function inClusterConfig(options: InClusterOptions): Promise<KubeConfig> {
  const { env, directory = "/var/run/secrets/kubernetes.io/serviceaccount" } = options;
  const [host, port] = [env.KUBERNETES_SERVICE_HOST, env.KUBERNETES_SERVICE_PORT];
  if (!host || !port) {
    throw new KubeError(
      "ERR_KUBE_CONFIG",
      "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set",
    );
  }
  const namespace = await readFile(join(directory, "namespace"), "utf8").catch(() => "");
  return {
    server: `https://${hostPort(host, port)}/`,
    namespace: namespace.trim() || "default",
    origin: `the service account in ${directory}`,
    tls: { ca: { file: join(directory, "ca.crt") } },
    user: { tokenFile: join(directory, "token") },
  };
}
