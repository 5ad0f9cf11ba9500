import type { Clock } from "../clock.ts";
import type { KubeObject } from "../kube-object.ts";
import { objectKey } from "../kube-object.ts";
import { compareResourceVersions } from "../resource-version.ts";

/** Objects as they were written by us, each until the watch has come as far, or for a bounded time. */
export class RememberedObjects<T extends KubeObject> {
  readonly #clock: Clock;
  readonly #keepMs: number;
  // In order of time, so that the first one expires first.
  readonly #objects = new Map<string, { readonly object: T; readonly until: number }>();

  constructor(clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  put(object: T): void {
    const key = objectKey(object);
    const known = this.get(key);
    if (known && isAsNew(known.metadata?.resourceVersion, object.metadata?.resourceVersion)) return;
    this.#objects.delete(key);
    this.#objects.set(key, { object, until: this.#clock.monotonic() + this.#keepMs });
  }

  get(key: string): T | undefined {
    this.#expire();
    return this.#objects.get(key)?.object;
  }

  entries(): ReadonlyMap<string, T> {
    this.#expire();
    const entries = new Map<string, T>();
    for (const [key, { object }] of this.#objects) entries.set(key, object);
    return entries;
  }

  /** The watch has shown this object; what it shows stands unless it is surely older. */
  shown(key: string, resourceVersion: string | undefined): void {
    const known = this.#objects.get(key);
    if (!known) return;
    const order = compareResourceVersions(resourceVersion, known.object.metadata?.resourceVersion);
    if (order === undefined || order >= 0) this.#objects.delete(key);
  }

  /** The watch has come so far: what was written before has been shown, if it is to be shown. */
  passed(resourceVersion: string | undefined): void {
    for (const [key, { object }] of this.#objects) {
      if (isAsNew(resourceVersion, object.metadata?.resourceVersion)) this.#objects.delete(key);
    }
  }

  #expire(): void {
    const now = this.#clock.monotonic();
    for (const [key, { until }] of this.#objects) {
      if (until > now) return;
      this.#objects.delete(key);
    }
  }
}

export function isAsNew(a: string | undefined, b: string | undefined): boolean {
  if (a !== undefined && a === b) return true;
  const order = compareResourceVersions(a, b);
  return order !== undefined && order >= 0;
}
