import { type KubeClient, type Pod, resources, type Secret, startInformer } from "@newleaf/kube";
import { type AtomicVolume, createAtomicVolume } from "@newleaf/testing";

/** From an update of a Pod to its sync, as measured of a kubelet. */
const REACTION_MS = 250;
/** Between syncs of a Pod that nothing happens to. */
const SYNC_MS = 75_000;

/** Mounts one Secret, which may be absent, for Pods that have no node: after an update of the Pod, or much later. */
export interface StandInKubelet extends AsyncDisposable {
  /** How often a volume was given other contents. */
  readonly writes: number;
}

export interface StandInKubeletOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly labelSelector: string;
  readonly secretName: string;
  /** Where it is mounted, by the name of the Pod. */
  readonly mounts: ReadonlyMap<string, string>;
}

export async function startStandInKubelet(options: StandInKubeletOptions): Promise<StandInKubelet> {
  const { client, namespace, labelSelector, secretName, mounts } = options;
  const volumes = new Map<string, AtomicVolume>();
  for (const [pod, directory] of mounts) volumes.set(pod, await createAtomicVolume(directory));
  const secrets = client.resource(resources.secrets, { namespace });
  const timers = new Map<string, NodeJS.Timeout>();
  const syncing = new Set<Promise<void>>();
  let writes = 0;
  let stopped = false;

  const schedule = (pod: string, ms: number): void => {
    clearTimeout(timers.get(pod));
    if (stopped) return;
    timers.set(
      pod,
      setTimeout(() => {
        const one = sync(pod).finally(() => syncing.delete(one));
        syncing.add(one);
      }, ms),
    );
  };
  const sync = async (pod: string): Promise<void> => {
    try {
      const answer = await secrets.get(secretName);
      if (!answer.ok && answer.status.code !== 404) throw new Error(answer.status.message);
      const written = await volumes.get(pod)?.write(answer.ok ? filesOf(answer.value) : {});
      if (written?.changed) writes += 1;
      schedule(pod, SYNC_MS);
    } catch {
      // The API server is away: kubelet comes again with a backoff that starts at half a second.
      schedule(pod, 500);
    }
  };
  const seen = ({ metadata }: Pod): void => schedule(metadata?.name ?? "", REACTION_MS);
  const informer = startInformer<Pod>({
    resource: client.resource(resources.pods, { namespace }),
    labelSelector,
  });
  informer.addHandler({ add: seen, update: (_, pod) => seen(pod) });
  return {
    get writes() {
      return writes;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      await informer[Symbol.asyncDispose]();
      await Promise.all(syncing);
    },
  };
}

function filesOf({ data = {} }: Secret): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text, "base64")]));
}
