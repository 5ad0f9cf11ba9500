import { KubeError } from "./error.ts";
import type { KubeObject } from "./kube-object.ts";

/** The values under which an object is found in one index. */
export type IndexFunction<T extends KubeObject> = (object: T) => readonly string[];

/** Objects by key (`objectKey`) and by any number of indices. Hands out what it holds, not copies. */
export interface Indexer<T extends KubeObject> {
  readonly size: number;
  get(key: string): T | undefined;
  has(key: string): boolean;
  entries(): IterableIterator<[string, T]>;
  list(): T[];
  /** Keys of the objects that have this value. ERR_KUBE_CONFIG for an index that does not exist. */
  keysByIndex(name: string, value: string): Iterable<string>;
  /** The values of an object, stored or not, in an index. */
  valuesOf(name: string, object: T): readonly string[];
  set(key: string, object: T): void;
  delete(key: string): void;
}

/** `onError` is told of an index function that threw; its object is then not in that index. */
export function createIndexer<T extends KubeObject>(
  indexers: Readonly<Record<string, IndexFunction<T>>> = {},
  onError: (index: string, error: unknown) => void = () => {},
): Indexer<T> {
  const objects = new Map<string, T>();
  const indices = new Map(
    Object.entries(indexers).map(([name, of]) => [name, { of, keys: new Map<string, Set<string>>() }]),
  );

  const indexOf = (name: string): { of: IndexFunction<T>; keys: Map<string, Set<string>> } => {
    const index = indices.get(name);
    if (!index) throw new KubeError("ERR_KUBE_CONFIG", `there is no index ${JSON.stringify(name)}`);
    return index;
  };
  const valuesOf = (name: string, object: T): readonly string[] => {
    const { of } = indexOf(name);
    try {
      return of(object);
    } catch (error) {
      onError(name, error);
      return [];
    }
  };
  // What an object was found under is kept: the function may say something else when asked again.
  const indexed = new Map<string, [name: string, value: string][]>();
  const drop = (key: string): void => {
    for (const [name, value] of indexed.get(key) ?? []) {
      const { keys } = indexOf(name);
      const found = keys.get(value);
      found?.delete(key);
      if (found?.size === 0) keys.delete(value);
    }
    indexed.delete(key);
  };

  return {
    get size() {
      return objects.size;
    },
    get: (key) => objects.get(key),
    has: (key) => objects.has(key),
    entries: () => objects.entries(),
    list: () => Array.from(objects.values()),
    keysByIndex: (name, value) => indexOf(name).keys.get(value) ?? [],
    valuesOf,
    set(key, object) {
      objects.set(key, object);
      if (indices.size === 0) return;
      drop(key);
      const under: [string, string][] = [];
      for (const [name, { keys }] of indices) {
        for (const value of valuesOf(name, object)) {
          const found = keys.get(value);
          if (found) found.add(key);
          else keys.set(value, new Set([key]));
          under.push([name, value]);
        }
      }
      indexed.set(key, under);
    },
    delete(key) {
      objects.delete(key);
      drop(key);
    },
  };
}
