import type { KubeList, KubeObject } from "../kube-object.ts";
import { objectKey } from "../kube-object.ts";
import type { ListerWatcher, ListOptions } from "../resource-client.ts";
import { type Answer, valueOrThrow } from "../status.ts";
import { isExpired } from "./failure.ts";

export interface Listing<T> {
  readonly objects: Map<string, T>;
  readonly resourceVersion: string;
  /** The server answered in pages. */
  readonly paginated: boolean;
}

/**
 * All objects of a resource, page by page, each given to `take` before the next comes, so that no page is held. When a
 * page's token has expired, everything is asked for again in one answer. Rejects with ERR_KUBE_STATUS, or as the source.
 */
export async function listObjects<T extends KubeObject>(
  source: ListerWatcher<T>,
  options: ListOptions,
  take: (object: T) => T | undefined,
): Promise<Listing<T>> {
  let objects = new Map<string, T>();
  const keep = (object: T): void => {
    const taken = take(object);
    if (taken) objects.set(objectKey(taken), taken);
  };
  let metadata = await listPage(source, options, keep);
  const paginated = metadata.continue !== undefined;
  // The first page's resource version is in the token of the next.
  const { resourceVersion: _, resourceVersionMatch: __, ...next } = options;
  while (metadata.continue !== undefined) {
    try {
      metadata = await listPage(source, { ...next, continue: metadata.continue }, keep);
    } catch (error) {
      if (!isExpired(error)) throw error;
      objects = new Map();
      metadata = await listPage(source, { ...options, limit: undefined }, keep);
    }
  }
  return { objects, resourceVersion: metadata.resourceVersion, paginated };
}

async function listPage<T extends KubeObject>(
  source: ListerWatcher<T>,
  options: ListOptions,
  keep: (object: T) => void,
): Promise<KubeList<T>["metadata"]> {
  if (source.listStream) return valueOrThrow(await source.listStream(options, keep), "list");
  const answer: Answer<KubeList<T>> = await source.list(options);
  const { items, metadata } = valueOrThrow(answer, "list");
  for (const item of items) keep(item);
  return metadata;
}
