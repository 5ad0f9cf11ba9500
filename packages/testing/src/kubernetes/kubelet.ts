import { equalJson, fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import { formatTime, type KubeObject, keyOf } from "./kube-object.ts";
import type { KubeStore, StoreClock } from "./kube-store.ts";

/** One volume of a Pod that a kubelet keeps in step. */
export interface KubeletVolume {
  readonly name: string;
  readonly source: "secret" | "configMap";
  /** Of the Secret or ConfigMap. */
  readonly object: string;
}

export interface KubeletOptions {
  readonly store: KubeStore;
  readonly clock: StoreClock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Pods whose `spec.nodeName` is this are its own. */
  readonly nodeName: string;
  /** Files of a volume, to be swapped in at once: called at the first sync and when they have changed. */
  write(
    pod: KubeObject,
    volume: KubeletVolume,
    files: Readonly<Record<string, Buffer>>,
  ): void | Promise<void>;
  /** Between two syncs of a Pod that nothing happens to; random in it. 60,000 to 90,000. */
  readonly syncMs?: Range;
  /** From an update of a Pod to its sync. 200 to 300. */
  readonly reactionMs?: Range;
  /** How far its view of Secrets and ConfigMaps is behind, so that a sync may come too early; not at all by default. */
  readonly cacheLagMs?: Range;
}

type Range = readonly [from: number, to: number];

/**
 * A kubelet as a Pod sees it: its Secret and ConfigMap volumes follow the API within a sync period, and at once when
 * the Pod itself is updated. Pods become Running and Ready at their first sync, and are gone as soon as they are to be
 * deleted. Runs nothing.
 */
export interface Kubelet extends Disposable {
  /** Pods that it keeps in step. */
  readonly pods: readonly string[];
  /** Syncs all Pods now. */
  syncAll(): Promise<void>;
}

export function createKubelet(options: KubeletOptions): Kubelet {
  const { store, clock, random } = options;
  const range = ([from, to]: Range): number => from + random() * (to - from);
  const syncMs = options.syncMs ?? [60_000, 90_000];
  const reactionMs = options.reactionMs ?? [200, 300];
  const pods = new Map<string, PodWorker>();
  const view = createView(options);
  let stopped = false;

  const schedule = (worker: PodWorker, ms: number): void => {
    worker.timer?.cancel();
    worker.timer = clock.setTimeout(() => void sync(worker), ms);
  };
  const sync = async (worker: PodWorker): Promise<void> => {
    const pod = store.get("pods", worker.namespace, worker.name);
    if (stopped || !pod || pod.metadata.uid !== worker.uid) return;
    if (worker.busy) return schedule(worker, range(reactionMs));
    if (pod.metadata.deletionTimestamp) {
      store.delete("pods", worker.namespace, worker.name, { gracePeriodSeconds: 0 });
      return;
    }
    schedule(worker, range(syncMs));
    worker.busy = true;
    try {
      const mounted = await syncVolumes(options, view, worker, pod);
      if (!stopped && mounted) becomeReady(store, clock, pod);
    } finally {
      worker.busy = false;
    }
  };
  const seen = (pod: KubeObject): void => {
    const { name = "", namespace, uid } = pod.metadata;
    if (pod.spec?.nodeName !== options.nodeName) return;
    const key = keyOf(namespace, name);
    const known = pods.get(key);
    const worker = known?.uid === uid && known ? known : newWorker(pod);
    pods.set(key, worker);
    schedule(worker, range(reactionMs));
  };
  const gone = (pod: KubeObject): void => {
    const key = keyOf(pod.metadata.namespace, pod.metadata.name ?? "");
    pods.get(key)?.timer?.cancel();
    pods.delete(key);
  };
  // Its own writes of the status are no news to it.
  const unsubscribe = store.table.subscribe("pods", ({ type, object, old }) => {
    if (type === "DELETED") gone(object);
    else if (!old || !onlyStatusChanged(old, object)) seen(object);
  });
  for (const pod of store.list("pods").items) seen(pod);

  return {
    get pods() {
      return [...pods.keys()];
    },
    async syncAll() {
      for (const worker of [...pods.values()]) await sync(worker);
    },
    [Symbol.dispose]() {
      stopped = true;
      unsubscribe();
      view.close();
      for (const worker of pods.values()) worker.timer?.cancel();
      pods.clear();
    },
  };
}

interface PodWorker {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string | undefined;
  /** What was written last, by volume. */
  readonly volumes: Map<string, KubeObject>;
  timer: { cancel(): void } | undefined;
  busy: boolean;
}

function newWorker({ metadata: { name = "", namespace = "", uid } }: KubeObject): PodWorker {
  return { name, namespace, uid, volumes: new Map(), timer: undefined, busy: false };
}

interface View {
  get(resource: "secrets" | "configmaps", namespace: string, name: string): KubeObject | undefined;
  close(): void;
}

/** Secrets and ConfigMaps as a kubelet that is behind sees them. */
function createView({ store, clock, random, cacheLagMs }: KubeletOptions): View {
  if (!cacheLagMs) return { get: (...of) => store.get(...of), close: () => {} };
  const [from, to] = cacheLagMs;
  const objects = new Map<string, KubeObject>();
  const follow = (resource: "secrets" | "configmaps"): (() => void) => {
    for (const [key, object] of store.table.entries(resource) ?? [])
      objects.set(`${resource}/${key}`, object);
    return store.table.subscribe(resource, ({ key, type, object, resourceVersion }) => {
      clock.setTimeout(
        () => {
          const known = Number(objects.get(`${resource}/${key}`)?.metadata.resourceVersion ?? 0);
          if (known > resourceVersion) return;
          if (type === "DELETED") objects.delete(`${resource}/${key}`);
          else objects.set(`${resource}/${key}`, object);
        },
        from + random() * (to - from),
      );
    });
  };
  const ends = [follow("secrets"), follow("configmaps")];
  return {
    get: (resource, namespace, name) => objects.get(`${resource}/${namespace}/${name}`),
    close: () => {
      for (const end of ends) end();
    },
  };
}

/** False while something that is mounted is not there yet. */
async function syncVolumes(
  { write }: KubeletOptions,
  view: View,
  worker: PodWorker,
  pod: KubeObject,
): Promise<boolean> {
  let complete = true;
  for (const { volume, items, optional } of volumesOf(pod)) {
    const resource = volume.source === "secret" ? "secrets" : "configmaps";
    const found = view.get(resource, worker.namespace, volume.object);
    if (!found) {
      complete &&= optional || worker.volumes.has(volume.name);
      continue;
    }
    if (worker.volumes.get(volume.name) === found) continue;
    await write(pod, volume, filesOf(found, items));
    worker.volumes.set(volume.name, found);
  }
  return complete;
}

function volumesOf(
  pod: KubeObject,
): readonly { volume: KubeletVolume; items: readonly JsonObject[]; optional: boolean }[] {
  return itemsOf(pod.spec?.volumes)
    .filter(isJsonObject)
    .flatMap(({ name, secret, configMap }) => {
      const source = isJsonObject(secret) ? "secret" : "configMap";
      const of = fieldsOf(secret ?? configMap);
      const object = of.secretName ?? of.name;
      if (typeof object !== "string") return [];
      const volume: KubeletVolume = { name: String(name), source, object };
      return [{ volume, items: itemsOf(of.items).filter(isJsonObject), optional: of.optional === true }];
    });
}

function filesOf(object: KubeObject, items: readonly JsonObject[]): Record<string, Buffer> {
  const encoding = object.kind === "Secret" ? "base64" : "utf8";
  const files: Record<string, Buffer> = {};
  const add = (data: Json | undefined, of: BufferEncoding): void => {
    for (const [key, value] of Object.entries(fieldsOf(data))) {
      const chosen = items.find((item) => item.key === key);
      if (items.length > 0 && !chosen) continue;
      files[String(chosen?.path ?? key)] = Buffer.from(String(value), of);
    }
  };
  add(object.data, encoding);
  add(object.binaryData, "base64");
  return files;
}

function becomeReady(store: KubeStore, clock: StoreClock, pod: KubeObject): void {
  const { name = "", namespace } = pod.metadata;
  const current = store.get("pods", namespace, name);
  if (!current || current.status?.phase === "Running") return;
  const time = formatTime(clock.now());
  const conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({
    type,
    status: "True",
    lastTransitionTime: time,
  }));
  const containerStatuses = itemsOf(current.spec?.containers)
    .filter(isJsonObject)
    .map(({ name: container, image }) => ({
      name: container,
      image,
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: time } },
    }));
  const status = { ...current.status, phase: "Running", conditions, containerStatuses, startTime: time };
  store.update("pods", { ...current, status }, "status");
}

function onlyStatusChanged(old: KubeObject, pod: KubeObject): boolean {
  const { metadata: a } = old;
  const { metadata: b } = pod;
  return (
    equalJson(old.spec, pod.spec) &&
    equalJson(a.annotations, b.annotations) &&
    equalJson(a.labels, b.labels) &&
    a.deletionTimestamp === b.deletionTimestamp
  );
}
