import { KubeError } from "./error.ts";
import type { KubeObject } from "./kube-object.ts";

/** The values under which an object is found in one index. */
export type IndexFunction<T extends KubeObject> = (object: T) => readonly string[];

/** Objects by key (`objectKey`) and by any number of indices. Hands out what it holds, not copies. */
export interface Indexer<T extends KubeObject> {
  readonly size: number;
  get(key: string): T | undefined;
  entries(): IterableIterator<[string, T]>;
  list(): T[];
  /** Keys of the objects that have this value. ERR_KUBE_CONFIG for an index that does not exist. */
  keysByIndex(name: string, value: string): Iterable<string>;
  /** The values of an object, stored or not, in an index. */
  valuesOf(name: string, object: T): readonly string[];
  set(key: string, object: T): void;
  delete(key: string): void;
  /**
   * Takes the map over as all there is. `onChange` is told of what differs before, and `isSame` says what does not:
   * that is not indexed again.
   */
  replace(
    objects: Map<string, T>,
    isSame: (old: T, object: T) => boolean,
    onChange: (old: T | undefined, object: T | undefined) => void,
  ): void;
}

interface Index<T extends KubeObject> {
  readonly of: IndexFunction<T>;
  readonly keys: Map<string, Set<string>>;
  /** What an object was found under: the function may say something else when asked again. */
  readonly values: Map<string, readonly string[]>;
}

/** `onError` is told of an index function that threw; its object is then not in that index. */
export function createIndexer<T extends KubeObject>(
  indexers: Readonly<Record<string, IndexFunction<T>>> = {},
  onError: (index: string, error: unknown) => void = () => {},
): Indexer<T> {
  let objects = new Map<string, T>();
  const indices = new Map<string, Index<T>>();
  for (const [name, of] of Object.entries(indexers)) {
    indices.set(name, { of, keys: new Map(), values: new Map() });
  }

  const indexOf = (name: string): Index<T> => {
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
  const drop = (key: string): void => {
    for (const { keys, values } of indices.values()) {
      for (const value of values.get(key) ?? []) {
        const found = keys.get(value);
        found?.delete(key);
        if (found?.size === 0) keys.delete(value);
      }
      values.delete(key);
    }
  };
  const index = (key: string, object: T): void => {
    drop(key);
    for (const [name, { keys, values }] of indices) {
      const under = valuesOf(name, object);
      values.set(key, under);
      for (const value of under) {
        const found = keys.get(value);
        if (found) found.add(key);
        else keys.set(value, new Set([key]));
      }
    }
  };

  return {
    get size() {
      return objects.size;
    },
    get: (key) => objects.get(key),
    entries: () => objects.entries(),
    list: () => Array.from(objects.values()),
    keysByIndex: (name, value) => indexOf(name).keys.get(value) ?? [],
    valuesOf,
    set(key, object) {
      objects.set(key, object);
      index(key, object);
    },
    delete(key) {
      objects.delete(key);
      drop(key);
    },
    replace(all, isSame, onChange) {
      const before = objects;
      for (const [key, object] of all) {
        const old = before.get(key);
        if (old && isSame(old, object)) continue;
        index(key, object);
        onChange(old, object);
      }
      for (const [key, old] of before) {
        if (all.has(key)) continue;
        drop(key);
        onChange(old, undefined);
      }
      objects = all;
    },
  };
}
