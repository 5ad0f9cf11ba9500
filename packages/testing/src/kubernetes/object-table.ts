import { freezeJson } from "./json.ts";
import { type KubeObject, keyOf } from "./kube-object.ts";

/** One change, as watches tell it. */
export interface StoreEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly storage: string;
  readonly key: string;
  readonly resourceVersion: number;
  /** The object after the change; a deleted one as it last was, at the version of its deletion. */
  readonly object: KubeObject;
  readonly old: KubeObject | undefined;
}

/**
 * What etcd and the watch cache are to a real API server: objects by storage and key, one counter of versions for
 * all of them, and the last changes in order. Objects are frozen and shared.
 */
export interface ObjectTable {
  readonly resourceVersion: number;
  /** Watches and lists can go back to here. */
  readonly oldestVersion: number;
  get(storage: string, key: string): KubeObject | undefined;
  /** In order of keys; at an older version where the history reaches that far, otherwise undefined. */
  entries(storage: string, at?: number): readonly (readonly [key: string, object: KubeObject])[] | undefined;
  count(storage: string): number;
  put(storage: string, object: KubeObject): KubeObject;
  remove(storage: string, key: string): KubeObject | undefined;
  /** What changed after this version, or undefined when that is no longer known. */
  since(version: number): readonly StoreEvent[] | undefined;
  subscribe(storage: string, listener: (event: StoreEvent) => void): () => void;
  /** As after a restart, or a compaction: nothing is known of how it came to this. */
  forgetHistory(): void;
}

export function createObjectTable(options: { readonly historyLimit: number }): ObjectTable {
  const tables = new Map<string, Table>();
  const listeners = new Map<string, Set<(event: StoreEvent) => void>>();
  let history: StoreEvent[] = [];
  let version = 1;
  let oldest = 1;

  const table = (storage: string): Table => {
    const found = tables.get(storage) ?? new Map<string, KubeObject>();
    tables.set(storage, found);
    return found;
  };
  const record = (event: StoreEvent): void => {
    history.push(event);
    // Cut in bulk, so that it costs nothing per event.
    if (history.length > 2 * options.historyLimit) trim(options.historyLimit);
    for (const listener of [...(listeners.get(event.storage) ?? [])]) listener(event);
  };
  const trim = (keep: number): void => {
    oldest = history[history.length - keep - 1]?.resourceVersion ?? oldest;
    history = history.slice(history.length - keep);
  };
  const sorted = new Map<string, readonly string[]>();
  const keys = (storage: string): readonly string[] => {
    const found = sorted.get(storage) ?? [...table(storage).keys()].sort();
    sorted.set(storage, found);
    return found;
  };

  const self: ObjectTable = {
    get resourceVersion() {
      return version;
    },
    get oldestVersion() {
      return oldest;
    },
    get: (storage, key) => tables.get(storage)?.get(key),
    entries(storage, at = version) {
      const objects = table(storage);
      if (at === version) return keys(storage).map((key) => [key, objects.get(key) as KubeObject] as const);
      const changes = self.since(at);
      if (!changes) return undefined;
      const past = new Map(objects);
      for (const { key, old } of changes.filter((event) => event.storage === storage).reverse()) {
        if (old) past.set(key, old);
        else past.delete(key);
      }
      return [...past].sort(([a], [b]) => (a < b ? -1 : 1));
    },
    count: (storage) => table(storage).size,
    put(storage, object) {
      version += 1;
      const stored = stamp(object, version);
      const key = keyOf(object.metadata.namespace, object.metadata.name ?? "");
      const old = table(storage).get(key);
      table(storage).set(key, stored);
      if (!old) sorted.delete(storage);
      const type = old ? "MODIFIED" : "ADDED";
      record({ type, storage, key, resourceVersion: version, object: stored, old });
      return stored;
    },
    remove(storage, key) {
      const old = table(storage).get(key);
      if (!old) return undefined;
      version += 1;
      const object = stamp(old, version);
      table(storage).delete(key);
      sorted.delete(storage);
      record({ type: "DELETED", storage, key, resourceVersion: version, object, old });
      return object;
    },
    since(after) {
      if (after < oldest) return undefined;
      let from = history.length;
      while (from > 0 && (history[from - 1]?.resourceVersion ?? 0) > after) from -= 1;
      return history.slice(from);
    },
    subscribe(storage, listener) {
      const set = listeners.get(storage) ?? new Set();
      listeners.set(storage, set);
      set.add(listener);
      return () => void set.delete(listener);
    },
    forgetHistory: () => {
      history = [];
      oldest = version;
    },
  };
  return self;
}

type Table = Map<string, KubeObject>;

function stamp(object: KubeObject, version: number): KubeObject {
  return freezeJson({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
}
