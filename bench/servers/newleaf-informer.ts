// startInformer on all Deployments.  newleaf-informer KUBECONFIG OPTIONS, which are JSON.
import {
  connectKube,
  type InformerOptions,
  type KubeObject,
  resources,
  selectFields,
  startInformer,
} from "@newleaf/kube";
import { measureInformer } from "./informer-measures.ts";

type Deployment = NonNullable<(typeof resources.deployments)["object"]>;

export interface NewleafInformerOptions extends Pick<InformerOptions<Deployment>, "pageSize" | "watchList"> {
  /** Keeps names, version and replicas, as all that trim do. */
  readonly trim?: boolean;
  /** Reads what a server of replicas shows; with `trim` what it keeps. */
  readonly select?: boolean;
}

const shown = selectFields(resources.deployments, {
  metadata: {
    generation: true,
    labels: true,
    annotations: true,
    creationTimestamp: true,
    deletionTimestamp: true,
  },
  spec: {
    replicas: true,
    paused: true,
    selector: true,
    template: { spec: { containers: { name: true, image: true } } },
  },
  status: true,
});
const trimmed = selectFields(resources.deployments, { spec: { replicas: true } });

const [kubeconfig = "", options = "{}"] = process.argv.slice(2);
const { trim: trims, select, ...rest } = JSON.parse(options) as NewleafInformerOptions;
await measureInformer(async (onUpdate) => {
  const { client } = await connectKube({ kubeconfig });
  if (select) return run({ ...rest, resource: client.resource<KubeObject>(trims ? trimmed : shown) });
  return run({
    ...rest,
    ...(trims && { transform: trim }),
    resource: client.resource(resources.deployments),
  });

  async function run<T extends KubeObject>(informerOptions: InformerOptions<T>): Promise<number> {
    const informer = startInformer(informerOptions);
    informer.addHandler({
      update(before, after) {
        if (before.metadata?.resourceVersion !== after.metadata?.resourceVersion) onUpdate();
      },
    });
    await informer.whenSynced();
    return informer.list().length;
  }
});

function trim({ metadata, spec }: Deployment): Deployment {
  const { name, namespace, resourceVersion } = metadata ?? {};
  return {
    metadata: { name, namespace, resourceVersion },
    spec: { replicas: spec?.replicas, selector: {}, template: {} },
  } as Deployment;
}
