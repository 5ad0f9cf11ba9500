// startInformer on all Deployments.  newleaf-informer KUBECONFIG OPTIONS, which are JSON.
import { connectKube, type InformerOptions, resources, startInformer } from "@newleaf/kube";
import { measureInformer } from "./informer-measures.ts";

type Deployment = NonNullable<(typeof resources.deployments)["object"]>;

export interface NewleafInformerOptions extends Pick<InformerOptions<Deployment>, "pageSize" | "watchList"> {
  /** Keeps names, version and replicas, as all that trim do. */
  readonly trim?: boolean;
}

const [kubeconfig = "", options = "{}"] = process.argv.slice(2);
const { trim: trimmed, ...rest } = JSON.parse(options) as NewleafInformerOptions;
await measureInformer(async (onUpdate) => {
  const { client } = await connectKube({ kubeconfig });
  const informer = startInformer({
    ...rest,
    ...(trimmed && { transform: trim }),
    resource: client.resource(resources.deployments),
  });
  informer.addHandler({
    update(before, after) {
      if (before.metadata?.resourceVersion !== after.metadata?.resourceVersion) onUpdate();
    },
  });
  await informer.whenSynced();
  return informer.list().length;
});

function trim({ metadata, spec }: Deployment): Deployment {
  const { name, namespace, resourceVersion } = metadata ?? {};
  return {
    metadata: { name, namespace, resourceVersion },
    spec: { replicas: spec?.replicas, selector: {}, template: {} },
  } as Deployment;
}
