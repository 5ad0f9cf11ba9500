import { createKubeClient, type KubeClient, type KubeClientOptions } from "./client.ts";
import { KubeError } from "./error.ts";
import { type InClusterOptions, inClusterConfig } from "./in-cluster.ts";
import { resolveContext } from "./internal/kubeconfig-context.ts";
import type { KubeConfig } from "./kube-config.ts";
import { createKubeTransport, type KubeTransportOptions } from "./kube-transport.ts";
import { type Environment, findKubeconfig } from "./kubeconfig.ts";

export interface ConnectKubeOptions extends KubeTransportOptions, Omit<KubeClientOptions, "transport"> {
  /** A kubeconfig that must be there. */
  readonly kubeconfig?: string | undefined;
  /** A context of the kubeconfig in place of the current one; never the Pod's own account then. */
  readonly context?: string | undefined;
  /** In place of the context's, or the Pod's. */
  readonly namespace?: string | undefined;
  /** For KUBECONFIG, HOME, KUBERNETES_SERVICE_*, the proxies' variables, and credential plugins. Default: empty. */
  readonly env?: Environment | undefined;
  /** Of the Pod's service account, where that is not at its usual place. */
  readonly serviceAccountDirectory?: InClusterOptions["directory"];
}

export interface ConnectedKube extends AsyncDisposable {
  readonly client: KubeClient;
  /** Where objects are looked for when nothing else is said. */
  readonly namespace: string;
  readonly config: KubeConfig;
}

/**
 * A client for the API server that kubectl would take: of the kubeconfig given, else of KUBECONFIG, else of
 * `~/.kube/config`, else the one this Pod runs under. Sends nothing yet. Rejects with ERR_KUBE_CONFIG.
 */
export async function connectKube(options: ConnectKubeOptions = {}): Promise<ConnectedKube> {
  const config = await findConfig(options);
  const transport = createKubeTransport(config, options);
  const client = createKubeClient({ ...options, transport });
  return {
    client,
    namespace: options.namespace ?? config.namespace,
    config,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await transport[Symbol.asyncDispose]();
    },
  };
}

async function findConfig(options: ConnectKubeOptions): Promise<KubeConfig> {
  const { kubeconfig: path, context, env = {}, serviceAccountDirectory: directory } = options;
  const found = await findKubeconfig({ path, context, env });
  if (found !== undefined) return resolveContext(found, { context, env });
  if (context === undefined && env.KUBERNETES_SERVICE_HOST) return inClusterConfig({ env, directory });
  const tried = "neither KUBECONFIG nor ~/.kube/config is there, and this is no Pod with a service account";
  throw new KubeError("ERR_KUBE_CONFIG", `no API server to connect to: ${tried}`);
}
