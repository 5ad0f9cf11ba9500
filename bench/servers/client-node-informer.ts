// @kubernetes/client-node's informer on all Deployments.  client-node-informer FOLDER-OF-IT KUBECONFIG
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { measureInformer } from "./informer-measures.ts";

/** What is used of it: it is no dependency of ours. */
interface ClientNode {
  readonly KubeConfig: new () => KubeConfig;
  readonly AppsV1Api: object;
  makeInformer(config: KubeConfig, path: string, list: () => Promise<object>): Informer;
}

interface KubeConfig {
  loadFromFile(path: string): void;
  makeApiClient(api: object): { listDeploymentForAllNamespaces(): Promise<object> };
}

interface Informer {
  on(event: "update" | "error", listener: (value: unknown) => void): void;
  start(): Promise<void>;
  list(): readonly object[];
}

const [folder = "", kubeconfig = ""] = process.argv.slice(2);
const library = (await import(pathToFileURL(join(folder, "dist/index.js")).href)) as ClientNode;
await measureInformer(async (onUpdate) => {
  const config = new library.KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(library.AppsV1Api);
  const informer = library.makeInformer(config, "/apis/apps/v1/deployments", () =>
    api.listDeploymentForAllNamespaces(),
  );
  informer.on("update", onUpdate);
  informer.on("error", (error) => {
    throw error;
  });
  await informer.start();
  return informer.list().length;
});
