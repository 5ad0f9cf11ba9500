import { spawnSync } from "node:child_process";
import { component } from "./component.ts";
import { type RunningProcess, run, startProcess } from "./process.ts";

/**
 * A real Kubernetes of one node (e2e/cluster/up.sh), ready, and on this machine the only one. The host reaches the
 * addresses of Pods and Services; the API server reaches them too, and the host at `hostAddress`. No name server runs.
 */
export interface Cluster extends AsyncDisposable {
  readonly url: string;
  readonly caFile: string;
  readonly hostAddress: string;
  /** A file: an administrator's. */
  readonly kubeconfig: string;
  /** Runs kubectl to its end and returns what it wrote; rejects with its words when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** A kubectl that goes on, such as `get pods --watch`, its lines collected. */
  startKubectl(args: readonly string[]): RunningProcess;
  /** Creates or changes objects. */
  apply(...objects: readonly object[]): Promise<void>;
  get<T>(args: readonly string[]): Promise<T>;
  /** A bearer token of a service account of `namespace`, for an hour. */
  serviceAccountToken(name: string, namespace?: string): Promise<string>;
  /** Of a `docker-archive` or `oci-archive`, for Pods whose `imagePullPolicy` is not Always. */
  importImage(archive: string): Promise<void>;
}

export interface ClusterOptions {
  /** Image archives beside `localhost/node:1`, Debian with Node.js. */
  readonly images?: readonly string[];
  /** How often kubelet looks at volumes of its own accord. Default: kubelet's, `1m`. */
  readonly syncFrequency?: string;
  /** How kubelet learns of changed Secrets. Default: kubelet's, `Watch`. */
  readonly secrets?: "Watch" | "Cache" | "Get";
}

const up = new URL("cluster/up.sh", import.meta.url).pathname;
const buildImage = new URL("cluster/build-image.sh", import.meta.url).pathname;

/** Why there can be no cluster on this machine; undefined where there can. */
export function clusterAbsence(): string | undefined {
  const { status, stderr } = spawnSync("bash", [up, "--check"], { encoding: "utf8" });
  return status === 0 ? undefined : stderr.trim();
}

/** Takes some ten seconds. Disposing ends the cluster, and so does the end of this process. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { images = [], syncFrequency = "1m", secrets = "Watch" } = options;
  const process = startProcess(
    "bash",
    [up, "--sync-frequency", syncFrequency, "--secrets", secrets, ...images],
    {},
    { stdin: "pipe" },
  );
  try {
    await process.line(/^KUBECONFIG=/, 180_000);
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
  const printed = (name: string): string =>
    process.lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  const kubeconfig = printed("KUBECONFIG");
  const kubectlProgram = component("NEWLEAF_KUBECTL") ?? "kubectl";
  // A proxy for the internet is none for the cluster.
  const command = (args: readonly string[]): readonly string[] => [
    "-u", "HTTPS_PROXY", "-u", "https_proxy", kubectlProgram, "--kubeconfig", kubeconfig, ...args,
  ]; // biome-ignore format: one command line
  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    succeed("env", command(args), input);

  return {
    url: printed("URL"),
    caFile: printed("CA"),
    hostAddress: printed("HOST"),
    kubeconfig,
    kubectl,
    startKubectl: (args) => startProcess("env", command(args)),
    apply: async (...items) => {
      const list = { apiVersion: "v1", kind: "List", items };
      await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify(list));
    },
    get: async <T>(args: readonly string[]) => JSON.parse(await kubectl(["get", ...args, "-o", "json"])) as T,
    serviceAccountToken: async (name, namespace = "default") =>
      (await kubectl(["create", "token", name, "--namespace", namespace])).trim(),
    importImage: async (archive) => {
      const containerd = ["ctr", "--address", "/run/containerd/containerd.sock", "--namespace", "k8s.io"];
      const inBox = ["-t", printed("BOX"), "-m", "-n", "-p"];
      await succeed("nsenter", [...inBox, ...containerd, "images", "import", archive]);
    },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** The archive of `localhost/newleaf:1`, built of this checkout: a minute when a source has changed, else at once. */
export async function newleafImage(): Promise<string> {
  return (await succeed("bash", [buildImage], undefined, 400_000)).trim();
}

async function succeed(
  command: string,
  args: readonly string[],
  input?: string,
  timeoutMs?: number,
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, {
    ...(input === undefined ? {} : { input }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  if (code !== 0) throw new Error(`exit ${code}: ${command} ${args.join(" ")}\n${stderr.slice(-4_000)}`);
  return stdout;
}
