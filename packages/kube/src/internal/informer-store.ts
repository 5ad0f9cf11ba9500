import { createIndexer, type Indexer, type IndexFunction } from "../indexer.ts";
import type { KubeObject } from "../kube-object.ts";
import { objectKey } from "../kube-object.ts";
import type { ReflectorStore } from "../reflector.ts";
import { compareResourceVersions } from "../resource-version.ts";
import type { Notification } from "./handler-queue.ts";
import { isAsNew, type RememberedObjects } from "./remembered-objects.ts";

const DELETIONS_KEPT = 1000;

/** What an informer knows, and what each change of it is to those who listen. */
export class InformerStore<T extends KubeObject> implements ReflectorStore<T> {
  readonly objects: Indexer<T>;
  readonly #remembered: RememberedObjects<T>;
  readonly #notify: (notification: Notification<T>) => void;
  /** Versions of the last deletions, so that an old event does not bring an object back. */
  readonly #deleted = new Map<string, string | undefined>();
  #synced = false;
  #resourceVersion: string | undefined;
  #staleEvents = 0;

  constructor(options: {
    readonly indexers: Readonly<Record<string, IndexFunction<T>>> | undefined;
    readonly onIndexError: (index: string, error: unknown) => void;
    readonly remembered: RememberedObjects<T>;
    readonly notify: (notification: Notification<T>) => void;
  }) {
    this.objects = createIndexer(options.indexers, options.onIndexError);
    this.#remembered = options.remembered;
    this.#notify = options.notify;
  }

  /** Events that told nothing new. */
  get staleEvents(): number {
    return this.#staleEvents;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** What the watch has shown is at least as new. */
  includes(object: T): boolean {
    const key = objectKey(object);
    const version = object.metadata?.resourceVersion;
    return (
      isAsNew(this.#resourceVersion, version) ||
      isAsNew(this.objects.get(key)?.metadata?.resourceVersion, version) ||
      isAsNew(this.#deleted.get(key), version)
    );
  }

  replace(objects: Map<string, T>, resourceVersion: string): void {
    const initial = !this.#synced;
    this.#deleted.clear();
    this.objects.replace(objects, hasSameVersion, (old, object) => {
      if (object && old) this.#notify({ type: "update", old, object });
      else if (object) this.#notify({ type: "add", object, initial });
      else if (old) this.#notify({ type: "delete", object: old, finalStateUnknown: true });
    });
    this.#resourceVersion = resourceVersion;
    this.#remembered.passed(resourceVersion);
    this.#synced = true;
    if (initial) this.#notify({ type: "synced" });
  }

  add(object: T): void {
    this.#put(object);
  }

  update(object: T): void {
    this.#put(object);
  }

  delete(object: T): void {
    const key = objectKey(object);
    const version = object.metadata?.resourceVersion;
    const old = this.objects.get(key);
    const order = compareResourceVersions(version, old?.metadata?.resourceVersion);
    if (!old || (order !== undefined && order < 0)) {
      this.#staleEvents += 1;
    } else {
      this.objects.delete(key);
      this.#noteDeletion(key, version);
      this.#notify({ type: "delete", object, finalStateUnknown: false });
    }
    this.#shown(key, version);
  }

  bookmark(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    this.#remembered.passed(resourceVersion);
  }

  // ADDED or MODIFIED is the server's view of a selector and of a watch, not ours of what we know.
  #put(object: T): void {
    const key = objectKey(object);
    const version = object.metadata?.resourceVersion;
    const old = this.objects.get(key);
    if (isAsNew(old?.metadata?.resourceVersion ?? this.#deleted.get(key), version)) {
      this.#staleEvents += 1;
    } else {
      this.objects.set(key, object);
      this.#deleted.delete(key);
      this.#notify(old ? { type: "update", old, object } : { type: "add", object, initial: false });
    }
    this.#shown(key, version);
  }

  #shown(key: string, version: string | undefined): void {
    this.#remembered.shown(key, version);
    this.#remembered.passed(version);
    if (version !== undefined && !isAsNew(this.#resourceVersion, version)) this.#resourceVersion = version;
  }

  #noteDeletion(key: string, version: string | undefined): void {
    this.#deleted.delete(key);
    this.#deleted.set(key, version);
    if (this.#deleted.size <= DELETIONS_KEPT) return;
    for (const oldest of this.#deleted.keys()) {
      this.#deleted.delete(oldest);
      return;
    }
  }
}

function hasSameVersion(a: KubeObject, b: KubeObject): boolean {
  const version = a.metadata?.resourceVersion;
  return version !== undefined && version === b.metadata?.resourceVersion;
}
