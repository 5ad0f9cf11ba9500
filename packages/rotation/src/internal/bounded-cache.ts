/** A map that forgets what was not used for long. */
export interface BoundedCache<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  values(): IterableIterator<V>;
}

/**
 * Keeps the last `size` entries used at least, twice as many at most. Two maps instead of an order of use: reading
 * an entry costs a look-up, not a re-insertion.
 */
export function createBoundedCache<K, V>(size: number): BoundedCache<K, V> {
  let recent = new Map<K, V>();
  let older = new Map<K, V>();
  const set = (key: K, value: V): void => {
    if (recent.size >= size && !recent.has(key)) {
      older = recent;
      recent = new Map();
    }
    recent.set(key, value);
  };
  return {
    get(key) {
      const value = recent.get(key);
      if (value !== undefined) return value;
      const earlier = older.get(key);
      if (earlier !== undefined) set(key, earlier);
      return earlier;
    },
    set,
    *values() {
      yield* recent.values();
      for (const [key, value] of older) if (!recent.has(key)) yield value;
    },
  };
}
