import type { KubeList, KubeObject, ResourceType } from "./kube-object.ts";
import type { Answer } from "./status.ts";
import type { WatchStream } from "./watch-event.ts";

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Until the whole answer is there; default of the client (30 s). Not for watches. */
  readonly timeoutMs?: number | undefined;
  /** Before others when the client's own rate limit makes requests wait. */
  readonly priority?: "normal" | "high" | undefined;
}

export interface ListOptions extends RequestOptions {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** "0": any state, from the server's cache. "": the newest. Absent is "". */
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: "Exact" | "NotOlderThan" | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

export interface WatchOptions
  extends Pick<
    ListOptions,
    "labelSelector" | "fieldSelector" | "resourceVersion" | "resourceVersionMatch" | "signal"
  > {
  readonly allowWatchBookmarks?: boolean | undefined;
  /** Asks for the existing objects as ADDED events and a bookmark after them (WatchList). */
  readonly sendInitialEvents?: boolean | undefined;
  /** When the server ends the watch. */
  readonly timeoutSeconds?: number | undefined;
}

export interface WriteOptions extends RequestOptions {
  /** Everything is checked and nothing is kept. */
  readonly dryRun?: boolean | undefined;
  readonly fieldManager?: string | undefined;
  readonly subresource?: string | undefined;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Takes over fields of other managers. */
  readonly force?: boolean | undefined;
}

export interface DeleteOptions extends RequestOptions {
  readonly dryRun?: boolean | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: "Foreground" | "Background" | "Orphan" | undefined;
}

/** RFC 6902. */
export type JsonPatch = readonly JsonPatchOperation[];
export type JsonPatchOperation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "move" | "copy"; readonly path: string; readonly from: string };

/** What kind of patch; a JSON patch is an array, the others are a part of the object. */
export type Patch =
  | { readonly type: "json"; readonly body: JsonPatch }
  | { readonly type: "merge" | "strategic"; readonly body: object };

/** What a reflector needs of a resource: parts of `ResourceClient`, or anything that behaves like them. */
export interface ListerWatcher<T extends KubeObject> {
  list(options: ListOptions): Promise<Answer<KubeList<T>>>;
  /**
   * `list` that hands over each object as it arrives, so that a large answer is neither held nor decoded at once. What
   * was handed over counts once this resolves with `ok`.
   */
  listStream?(options: ListOptions, onItem: (object: T) => void): Promise<Answer<KubeList<T>["metadata"]>>;
  watch(options: WatchOptions): Promise<Answer<WatchStream<T>>>;
}

/**
 * Requests for one resource, in one namespace or in all. Every method resolves with what the API server answered,
 * its refusals included, and rejects with a KubeError when there was no answer, or with the signal's reason.
 */
export interface ResourceReader<T extends KubeObject> extends ListerWatcher<T> {
  readonly namespace: string | undefined;
  get(name: string, options?: RequestOptions & { readonly resourceVersion?: string }): Promise<Answer<T>>;
  /** One page, or all in one answer without `limit`. */
  list(options?: ListOptions): Promise<Answer<KubeList<T>>>;
  listStream(options: ListOptions, onItem: (object: T) => void): Promise<Answer<KubeList<T>["metadata"]>>;
  /** Resolves when the server has accepted the watch. The stream ends with the server's, or rejects if it broke. */
  watch(options?: WatchOptions): Promise<Answer<WatchStream<T>>>;
}

/** What writes as well. */
export interface ResourceClient<T extends KubeObject> extends ResourceReader<T> {
  readonly type: ResourceType<T>;
  get(
    name: string,
    options?: RequestOptions & { readonly resourceVersion?: string; readonly subresource?: string },
  ): Promise<Answer<T>>;
  create(object: T, options?: WriteOptions): Promise<Answer<T>>;
  /** Replaces; with `metadata.resourceVersion` only if nothing changed since (409 Conflict). */
  update(object: T, options?: WriteOptions): Promise<Answer<T>>;
  patch(name: string, patch: Patch, options?: WriteOptions): Promise<Answer<T>>;
  /** Server-side apply. */
  apply(object: T, options: ApplyOptions): Promise<Answer<T>>;
  /** The object as it was, or as it is while finalizers hold it. */
  delete(name: string, options?: DeleteOptions): Promise<Answer<T | undefined>>;
}
