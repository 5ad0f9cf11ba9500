import { delimiter, join } from "node:path";
import { KubeError } from "./error.ts";
import { resolveContext } from "./internal/kubeconfig-context.ts";
import { type KubeconfigDocument, mergeKubeconfigs, readKubeconfig } from "./internal/kubeconfig-document.ts";
import type { KubeConfig } from "./kube-config.ts";

export interface KubeconfigOptions {
  /** A file that must be there. Without it those of `env.KUBECONFIG` that are, else `.kube/config` in `env.HOME`. */
  readonly path?: string | undefined;
  /** Default: the current context. */
  readonly context?: string | undefined;
  /** For KUBECONFIG, HOME, HTTPS_PROXY and NO_PROXY; nothing else of the process is looked at. Default: empty. */
  readonly env?: Environment | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration of one context, merged as kubectl merges: of clusters, users and contexts with the same name, and
 * of current contexts, the first file's counts. Files named within are relative to the file that names them. Rejects
 * with ERR_KUBE_CONFIG, which names file, context, cluster and user, and never shows their contents.
 */
export async function loadKubeconfig(options: KubeconfigOptions = {}): Promise<KubeConfig> {
  const found = await findKubeconfig(options);
  if (found !== undefined) return resolveContext(found, options);
  const { paths } = locateKubeconfig(options);
  const where =
    paths.length === 0 ? "neither a path, nor KUBECONFIG, nor HOME is set" : `not there: ${paths.join(", ")}`;
  throw new KubeError("ERR_KUBE_CONFIG", `no kubeconfig: ${where}`);
}

/** As `loadKubeconfig`, but undefined where no path is given and no file is there. */
export async function findKubeconfig(options: KubeconfigOptions): Promise<KubeconfigDocument | undefined> {
  const { paths, required } = locateKubeconfig(options);
  const documents = await Promise.all(paths.map((path) => readKubeconfig(path, { required })));
  const present = documents.filter((document) => document !== undefined);
  return present.length === 0 ? undefined : mergeKubeconfigs(present);
}

function locateKubeconfig({ path, env = {} }: KubeconfigOptions): {
  paths: readonly string[];
  required: boolean;
} {
  if (path !== undefined) return { paths: [path], required: true };
  const listed = (env.KUBECONFIG ?? "").split(delimiter).filter((part) => part !== "");
  if (listed.length > 0) return { paths: [...new Set(listed)], required: false };
  return { paths: env.HOME ? [join(env.HOME, ".kube", "config")] : [], required: false };
}
