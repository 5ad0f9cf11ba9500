import type { Clock } from "./clock.ts";
import { ListAndWatch } from "./internal/list-and-watch.ts";
import type { KubeObject } from "./kube-object.ts";
import type { Logger } from "./logger.ts";
import type { ListerWatcher } from "./resource-client.ts";

/** Where a reflector puts what it sees. Called one after the other, and never after the reflector was disposed. */
export interface ReflectorStore<T extends KubeObject> {
  /** All there is, by `objectKey`. The map is the store's from now on. */
  replace(objects: Map<string, T>, resourceVersion: string): void;
  add(object: T): void;
  update(object: T): void;
  /** The object in its last state. */
  delete(object: T): void;
  /** Nothing changed up to here. */
  bookmark(resourceVersion: string): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly source: ListerWatcher<T>;
  readonly store: ReflectorStore<T>;
  /** For logs. */
  readonly name?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /**
   * Applied to each object before it is stored, while a list still arrives. May change the object it is given. One that
   * it throws at is left out, logged and counted. Default `dropBookkeeping`.
   */
  readonly transform?: ((object: T) => T) | undefined;
  /** Asks for pages of so many objects also where a server would answer from its cache, which ignores pages. */
  readonly pageSize?: number | undefined;
  /**
   * Streams each whole state as a watch (`sendInitialEvents`) and falls back to a list where that fails. Default false:
   * in JSON it takes longer than a list, which is decoded as a stream too (docs/decisions/0009).
   */
  readonly watchList?: boolean | undefined;
  /** Until that stream must have said that it is complete. Default 30 s. */
  readonly watchListTimeoutMs?: number | undefined;
  /** For each page of a list. Default 60 s. */
  readonly listTimeoutMs?: number | undefined;
  /** A watch that says nothing for so long is opened anew; doubled while no bookmark comes. Default 150 s. */
  readonly silenceMs?: number | undefined;
  /** How long a watch that fails with 500 is tried again before a list. Default 60 s. */
  readonly internalErrorRetryMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  readonly logger?: Logger | undefined;
  /** Ends it, as disposing does. */
  readonly signal?: AbortSignal | undefined;
}

/** How far what is known can be trusted. */
export interface Freshness {
  /** There has been a first complete state. */
  readonly synced: boolean;
  /** A watch is open. */
  readonly watching: boolean;
  /** Since the server last said something: a list, an event, a bookmark (about one a minute). Infinity: never. */
  readonly ageMs: number;
  readonly resourceVersion: string | undefined;
}

/** Counts since the start. */
export interface ReflectorStats {
  readonly lists: number;
  readonly listFailures: number;
  readonly watches: number;
  readonly watchFailures: number;
  /** Watches dropped because nothing came. */
  readonly silentWatches: number;
  /** 410 and "Too large resource version", in any form. */
  readonly expired: number;
  readonly events: number;
  readonly bookmarks: number;
  readonly transformErrors: number;
}

/**
 * Keeps a store equal to what the API server has, as client-go's Reflector does: a list, then watches that each go on
 * where the last one ended, a new list only when the server no longer has that state. No failure ends it; it runs from
 * its creation until it is disposed, which is final.
 */
export interface Reflector extends AsyncDisposable {
  freshness(): Freshness;
  stats(): ReflectorStats;
}

export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const reflector = new ListAndWatch(options);
  reflector.start();
  return reflector;
}
