import type {
  KubeList,
  KubeObject,
  ListerWatcher,
  ListOptions,
  WatchEvent,
  WatchOptions,
} from "@newleaf/kube";
import { KubeError } from "@newleaf/kube";
import type { Answer, StatusFailure } from "../src/status.ts";

/** A ListerWatcher that answers as a test says, and remembers what it was asked. */
export interface ScriptedSource extends ListerWatcher<KubeObject> {
  readonly lists: ListOptions[];
  readonly watches: ScriptedWatch[];
  /** Of the watches that are open. */
  readonly open: ScriptedWatch[];
  onList: (options: ListOptions, count: number) => Page | StatusFailure | Error | Promise<never>;
  onWatch: (options: WatchOptions, count: number) => StatusFailure | Error | Promise<never> | undefined;
}

interface ScriptedWatch {
  readonly options: WatchOptions;
  send(...events: WatchEvent<KubeObject>[]): void;
  /** Ends it as a server does; or breaks it. */
  end(error?: Error): void;
}

interface Page {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly items?: KubeObject[];
}

export function scriptedSource(items: KubeObject[] = [], resourceVersion = "1"): ScriptedSource {
  const source: ScriptedSource = {
    lists: [],
    watches: [],
    open: [],
    onList: () => ({ resourceVersion, items }),
    onWatch: () => undefined,
    async list(options): Promise<Answer<KubeList<KubeObject>>> {
      options.signal?.throwIfAborted();
      source.lists.push(options);
      const page = await orAbort(source.onList(options, source.lists.length), options.signal);
      if (page instanceof Error) throw page;
      if ("code" in page) return { ok: false, status: page };
      const metadata = {
        resourceVersion: page.resourceVersion,
        continue: page.continue,
        remainingItemCount: undefined,
      };
      return { ok: true, value: { items: structuredClone(page.items ?? []), metadata } };
    },
    async watch(options) {
      options.signal?.throwIfAborted();
      const watch = createWatch(options, () => source.open.splice(source.open.indexOf(watch), 1));
      source.watches.push(watch);
      const refusal = await orAbort(source.onWatch(options, source.watches.length), options.signal);
      if (refusal instanceof Error) throw refusal;
      if (refusal) return { ok: false, status: refusal };
      source.open.push(watch);
      return { ok: true, value: watch.events };
    },
  };
  return source;
}

function createWatch(
  options: WatchOptions,
  onClose: () => void,
): ScriptedWatch & { readonly events: AsyncIterableIterator<WatchEvent<KubeObject>> } {
  const queue: WatchEvent<KubeObject>[] = [];
  let wake = (): void => {};
  let ended: { readonly error: Error | undefined } | undefined;
  async function* read(): AsyncIterableIterator<WatchEvent<KubeObject>> {
    options.signal?.addEventListener("abort", () => wake(), { once: true });
    try {
      for (;;) {
        options.signal?.throwIfAborted();
        const event = queue.shift();
        if (event) yield event;
        else if (ended?.error) throw ended.error;
        else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      onClose();
    }
  }
  return {
    options,
    events: read(),
    send(...events) {
      queue.push(...structuredClone(events));
      wake();
    },
    end(error) {
      ended = { error };
      wake();
    },
  };
}

function orAbort<T>(value: T, signal: AbortSignal | undefined): Promise<Awaited<T>> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const forget = (): void => signal?.removeEventListener("abort", onAbort);
    Promise.resolve(value).then(resolve, reject).finally(forget);
  });
}

export function pod(name: string, resourceVersion: string, labels: Record<string, string> = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "shop", name, resourceVersion, uid: `uid-${name}`, labels },
  };
}

export function added(object: KubeObject): WatchEvent<KubeObject> {
  return { type: "ADDED", object };
}

export function modified(object: KubeObject): WatchEvent<KubeObject> {
  return { type: "MODIFIED", object };
}

export function deleted(object: KubeObject): WatchEvent<KubeObject> {
  return { type: "DELETED", object };
}

export function bookmark(resourceVersion: string, initialEventsEnd = false): WatchEvent<KubeObject> {
  return { type: "BOOKMARK", resourceVersion, initialEventsEnd };
}

export function failed(status: StatusFailure): WatchEvent<KubeObject> {
  return { type: "ERROR", status };
}

export function status(code: number, reason: string, more: Partial<StatusFailure> = {}): StatusFailure {
  return {
    code,
    reason,
    message: reason,
    retryAfterMs: undefined,
    details: undefined,
    requestId: undefined,
    ...more,
  };
}

export const expired: StatusFailure = status(410, "Expired");
export const tooLarge: StatusFailure = status(504, "Timeout", {
  message: "Too large resource version: 20, current: 10",
  details: { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }] },
});
export const tooManyRequests: StatusFailure = status(429, "TooManyRequests", { retryAfterMs: 5_000 });
export const internalError: StatusFailure = status(500, "InternalError");

export function unreachable(): KubeError {
  return new KubeError("ERR_KUBE_UNREACHABLE", "connect ECONNREFUSED 127.0.0.1:6443");
}

export function reset(): KubeError {
  return new KubeError("ERR_KUBE_UNREACHABLE", "read ECONNRESET");
}
