import type { IndexFunction } from "./indexer.ts";
import { SharedInformer } from "./internal/shared-informer.ts";
import type { KubeObject } from "./kube-object.ts";
import type { Freshness, ReflectorOptions, ReflectorStats } from "./reflector.ts";
import type { ListerWatcher } from "./resource-client.ts";

export interface InformerOptions<T extends KubeObject> extends Omit<ReflectorOptions<T>, "source" | "store"> {
  readonly resource: ListerWatcher<T>;
  /** Further ways to find objects; see `byIndex`. */
  readonly indexers?: Readonly<Record<string, IndexFunction<T>>> | undefined;
  /** Tells each handler so often of every object, as `update(object, object)`. Default never. */
  readonly resyncMs?: number | undefined;
  /** How long an object that was remembered is shown if the watch does not come to it. Default 60 s. */
  readonly rememberMs?: number | undefined;
}

/**
 * Called in the order of the changes and one at a time: a promise is awaited before the next call. What it throws is
 * logged and counted, and the next change comes. Objects are shared: do not change them.
 */
export interface InformerHandler<T extends KubeObject> {
  /** `initial`: it was there before the handler, or before the informer. */
  add?(object: T, of: { readonly initial: boolean }): void | Promise<void>;
  /** At a resync both are the same object. */
  update?(old: T, object: T): void | Promise<void>;
  /** `finalStateUnknown`: it went while no watch was there to tell, and this is how it was last seen. */
  delete?(object: T, of: { readonly finalStateUnknown: boolean }): void | Promise<void>;
}

export interface HandlerRegistration {
  /** All that was there at the start has been handled. */
  readonly hasSynced: boolean;
  /** Rejects with the signal's reason, or ERR_KUBE_CLOSED when it was removed before. */
  whenSynced(signal?: AbortSignal): Promise<void>;
  /** Nothing is delivered any more; a call under way goes on. */
  remove(): void;
}

export interface InformerStats extends ReflectorStats {
  readonly objects: number;
  readonly handlers: number;
  /** Changes that handlers have not been told of yet. */
  readonly backlog: number;
  readonly handlerErrors: number;
  readonly indexErrors: number;
  /** Events of the server that told nothing new. */
  readonly staleEvents: number;
}

/**
 * A copy of a resource that is kept equal by a watch, and handlers for its changes. Reading is synchronous and costs
 * the API server nothing. Objects are shared: do not change them.
 */
export interface Informer<T extends KubeObject> extends AsyncDisposable {
  /** By `objectKey`: `namespace/name`, or `name`. */
  get(key: string): T | undefined;
  list(): T[];
  /** ERR_KUBE_CONFIG for an index that was not given. */
  byIndex(name: string, value: string): T[];
  /** There has been a first complete state. Never false again: `freshness` tells whether it is still true. */
  readonly hasSynced: boolean;
  /** Rejects with the signal's reason, or ERR_KUBE_CLOSED when it was disposed before. */
  whenSynced(signal?: AbortSignal): Promise<void>;
  /**
   * Tells the handler of all that is there, then of each change. What it has not been told yet is held without a
   * limit, so that it misses nothing; `stats().backlog` shows it. ERR_KUBE_CLOSED once disposed.
   */
  addHandler(handler: InformerHandler<T>): HandlerRegistration;
  /**
   * Shows an object that was just written, as the API server answered it, in `get`, `list` and `byIndex` until the
   * watch has come as far. Handlers are told by the watch only.
   */
  remember(object: T): void;
  freshness(): Freshness;
  stats(): InformerStats;
}

/** Runs until it is disposed or the signal aborts, which is final; no failure ends it. */
export function startInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  return new SharedInformer(options);
}
