import { hostname } from "node:os";
import { type CommandContext, DaemonError, type TypedOption, z } from "@newleaf/daemon";
import { connectKube, type KubeClient, KubeError } from "@newleaf/kube";

/** Where the API server is, which objects in it are ours, and which replica this is. */
export interface KubeConfigOptions {
  readonly namespace: string | undefined;
  readonly pod: string | undefined;
  readonly podUid: string | undefined;
  readonly annotationPrefix: string;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

export const kubeOptions: { readonly [K in keyof KubeConfigOptions]: TypedOption<KubeConfigOptions[K]> } = {
  namespace: {
    flag: "--namespace <name>",
    description: "of Lease, Secrets and Pods; by default this Pod's, or that of the kubeconfig",
    schema: objectName().optional(),
    env: "POD_NAMESPACE",
  },
  pod: {
    flag: "--pod <name>",
    description: "this replica: its Pod, and its name in the election; by default the host name",
    schema: objectName().optional(),
    env: "POD_NAME",
  },
  podUid: {
    flag: "--pod-uid <uid>",
    description: "of this Pod, so that a Lease of its own goes with it",
    schema: z.string().min(1).optional(),
    env: "POD_UID",
  },
  annotationPrefix: {
    flag: "--annotation-prefix <prefix>",
    description: "of the annotations on Lease, Secrets and Pods",
    schema: objectName(),
    default: "newleaf.dev",
  },
  kubeconfig: {
    flag: "--kubeconfig <file>",
    description: "by default KUBECONFIG, ~/.kube/config, or the service account of this Pod",
    schema: z.string().min(1).optional(),
  },
  context: {
    flag: "--context <name>",
    description: "of the kubeconfig, instead of its current one",
    schema: z.string().min(1).optional(),
  },
};

/** An option's schema for the names of objects: a DNS subdomain (RFC 1123). */
export function objectName(): z.ZodType<string> {
  return z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, "is no name of an object: a-z, 0-9, - and . only");
}

/** The API server, and this replica in it. */
export interface Cluster extends AsyncDisposable {
  readonly client: KubeClient;
  readonly server: string;
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string | undefined;
}

/** Sends nothing yet. A kubeconfig that cannot work is a wrong configuration: exit code 2. */
export async function connectCluster(
  config: KubeConfigOptions,
  { env, logger, commandName, version }: Pick<CommandContext, "env" | "logger" | "commandName" | "version">,
): Promise<Cluster> {
  const { kubeconfig, context, namespace } = config;
  const userAgent = `${commandName.replaceAll(" ", "-")}/${version}`;
  try {
    const kube = await connectKube({ kubeconfig, context, namespace, env, logger, userAgent });
    return {
      client: kube.client,
      server: kube.client.server,
      namespace: kube.namespace,
      pod: config.pod ?? hostname().toLowerCase(),
      podUid: config.podUid,
      [Symbol.asyncDispose]: () => kube[Symbol.asyncDispose](),
    };
  } catch (cause) {
    if (!(cause instanceof KubeError) || cause.code !== "ERR_KUBE_CONFIG") throw cause;
    const hint = "name a kubeconfig with --kubeconfig, or run in a Pod with a service account";
    throw new DaemonError("ERR_DAEMON_CONFIG", cause.message, { hint, cause });
  }
}
