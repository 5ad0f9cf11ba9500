import { setTimeout as sleep } from "node:timers/promises";
import { type KubeClient, type Pod, resources, type Secret, startInformer } from "@newleaf/kube";
import { leafOf, servedLeaf } from "./served-leaf.ts";

/** How long each new certificate in a Secret takes to be served by each of the Pods that were ready then. */
export interface Deliveries extends AsyncDisposable {
  /** How many have come to every Pod. */
  readonly count: number;
  readonly all: readonly Delivery[];
}

interface Delivery {
  readonly what: string;
  /** Milliseconds from the Secret's change, as a watch tells it, one for each Pod. */
  readonly delays: readonly number[];
}

const LONGEST_MS = 90_000;

export function watchDeliveries(options: {
  readonly client: KubeClient;
  readonly namespace: string;
  /** Of the Secret, and the Pods' label `app.kubernetes.io/name`. */
  readonly name: string;
  readonly port: number;
}): Deliveries {
  const { client, namespace, name, port } = options;
  const closing = new AbortController();
  const all: Delivery[] = [];
  const measuring = new Set<Promise<void>>();
  const pods = startInformer<Pod>({
    resource: client.resource(resources.pods, { namespace }),
    labelSelector: `app.kubernetes.io/name=${name}`,
  });
  const secrets = startInformer<Secret>({
    resource: client.resource(resources.secrets, { namespace }),
    fieldSelector: `metadata.name=${name}`,
  });
  const isThere = (pod: Pod): boolean => {
    const now = pods.get(`${namespace}/${pod.metadata?.name}`);
    return (
      now !== undefined &&
      now.metadata?.deletionTimestamp === undefined &&
      (now.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True")
    );
  };
  const measure = async (leaf: string): Promise<void> => {
    const since = performance.now();
    const delays = await Promise.all(
      pods
        .list()
        .filter(isThere)
        .map(async (pod) => {
          // Who goes meanwhile has nothing more to be delivered to.
          while (!closing.signal.aborted && isThere(pod)) {
            const served = await servedLeaf({ host: pod.status?.podIP ?? "", port });
            const tookMs = Math.round(performance.now() - since);
            if (served === leaf || tookMs > LONGEST_MS) return tookMs;
            await sleep(25);
          }
          return undefined;
        }),
    );
    const known = delays.filter((delay) => delay !== undefined);
    if (!closing.signal.aborted && known.length > 0) {
      all.push({ what: `${new Date().toISOString()} ${leaf.slice(0, 8)}`, delays: known });
    }
  };
  secrets.addHandler({
    update(old, { data = {} }) {
      const pem = data["tls.crt"];
      if (pem === undefined || pem === old.data?.["tls.crt"]) return;
      const one = measure(leafOf(Buffer.from(pem, "base64").toString())).finally(() => measuring.delete(one));
      measuring.add(one);
    },
  });
  return {
    all,
    get count() {
      return all.length;
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all(measuring);
      await secrets[Symbol.asyncDispose]();
      await pods[Symbol.asyncDispose]();
    },
  };
}
