import { type Clock, systemClock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type {
  HandlerRegistration,
  Informer,
  InformerHandler,
  InformerOptions,
  InformerStats,
} from "../informer.ts";
import type { KubeObject } from "../kube-object.ts";
import { objectKey } from "../kube-object.ts";
import { type Logger, silentLogger } from "../logger.ts";
import { createReflector, type Freshness, type Reflector } from "../reflector.ts";
import { dropBookkeeping } from "../transform.ts";
import { delay } from "./delay.ts";
import { describe } from "./failure.ts";
import { HandlerQueue, type Notification } from "./handler-queue.ts";
import { InformerStore } from "./informer-store.ts";
import { Latch } from "./latch.ts";
import { onAbort } from "./on-abort.ts";
import { RememberedObjects } from "./remembered-objects.ts";

const HANDLERS_END_MS = 5_000;

export class SharedInformer<T extends KubeObject> implements Informer<T> {
  readonly #options: InformerOptions<T>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #remembered: RememberedObjects<T>;
  readonly #store: InformerStore<T>;
  readonly #reflector: Reflector;
  readonly #queues = new Set<HandlerQueue<T>>();
  readonly #synced = new Latch();
  readonly #stop = new AbortController();
  #resyncing: Promise<void> = Promise.resolve();
  #disposed: Promise<void> | undefined;
  #handlerErrors = 0;
  #indexErrors = 0;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#remembered = new RememberedObjects(this.#clock, options.rememberMs ?? 60_000);
    this.#store = new InformerStore({
      indexers: options.indexers,
      onIndexError: (index, error) => {
        this.#indexErrors += 1;
        this.#log("index function failed; object left out of the index", { index, ...describe(error) });
      },
      remembered: this.#remembered,
      notify: (notification) => this.#notify(notification),
    });
    const { resource, signal, ...rest } = options;
    if (signal?.aborted) this.#stop.abort();
    this.#reflector = createReflector({
      ...rest,
      signal: this.#stop.signal,
      source: resource,
      store: this.#store,
    });
    if (options.resyncMs !== undefined) this.#resyncing = this.#resync(options.resyncMs);
    const letGo = onAbort(signal, () => void this[Symbol.asyncDispose]());
    this.#stop.signal.addEventListener("abort", letGo, { once: true });
  }

  get hasSynced(): boolean {
    return this.#synced.isOpen;
  }

  whenSynced(signal?: AbortSignal): Promise<void> {
    return this.#synced.wait(signal);
  }

  get(key: string): T | undefined {
    return this.#remembered.get(key) ?? this.#store.objects.get(key);
  }

  list(): T[] {
    const remembered = this.#remembered.entries();
    if (remembered.size === 0) return this.#store.objects.list();
    const found: T[] = [];
    for (const [key, object] of this.#store.objects.entries()) if (!remembered.has(key)) found.push(object);
    for (const object of remembered.values()) found.push(object);
    return found;
  }

  byIndex(name: string, value: string): T[] {
    const { objects } = this.#store;
    const remembered = this.#remembered.entries();
    const found: T[] = [];
    for (const key of objects.keysByIndex(name, value)) {
      const object = remembered.has(key) ? undefined : objects.get(key);
      if (object) found.push(object);
    }
    for (const object of remembered.values()) {
      if (objects.valuesOf(name, object).includes(value)) found.push(object);
    }
    return found;
  }

  addHandler(handler: InformerHandler<T>): HandlerRegistration {
    if (this.#stop.signal.aborted) throw closedError();
    const queue = new HandlerQueue<T>(handler, {
      clock: this.#clock,
      onError: (notification, error) => this.#noteHandlerError(notification, error),
    });
    this.#queues.add(queue);
    if (this.#store.synced) {
      for (const [, object] of this.#store.objects.entries()) {
        queue.push({ type: "add", object, initial: true });
      }
      queue.push({ type: "synced" });
    }
    return {
      get hasSynced() {
        return queue.synced.isOpen;
      },
      whenSynced: (signal) => queue.synced.wait(signal),
      remove: () => {
        this.#queues.delete(queue);
        void queue.stop(new KubeError("ERR_KUBE_CLOSED", "the handler was removed"));
      },
    };
  }

  remember(object: T): void {
    if (this.#store.includes(object)) return;
    // The transform changes what it is given, and this is the caller's.
    const { transform = dropBookkeeping } = this.#options;
    this.#remembered.put(transform(structuredClone(object)));
  }

  freshness(): Freshness {
    return this.#reflector.freshness();
  }

  stats(): InformerStats {
    let backlog = 0;
    for (const queue of this.#queues) backlog += queue.length;
    return {
      ...this.#reflector.stats(),
      objects: this.#store.objects.size,
      handlers: this.#queues.size,
      backlog,
      handlerErrors: this.#handlerErrors,
      indexErrors: this.#indexErrors,
      staleEvents: this.#store.staleEvents,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#stop.abort();
    this.#synced.fail(closedError());
    const ended: Promise<void>[] = [];
    for (const queue of this.#queues) ended.push(queue.stop(closedError()));
    this.#queues.clear();
    await this.#reflector[Symbol.asyncDispose]();
    await this.#resyncing;
    // With a limit: a handler may be waiting for this very disposal.
    const waiting = new AbortController();
    await Promise.race([Promise.all(ended), delay(this.#clock, HANDLERS_END_MS, waiting.signal)]);
    waiting.abort();
  }

  #notify(notification: Notification<T>): void {
    for (const queue of this.#queues) queue.push(notification);
    if (notification.type === "synced") this.#synced.open();
  }

  async #resync(everyMs: number): Promise<void> {
    while (await delay(this.#clock, everyMs, this.#stop.signal)) {
      for (const [, object] of this.#store.objects.entries()) {
        this.#notify({ type: "update", old: object, object });
      }
    }
  }

  #noteHandlerError(notification: Notification<T>, error: unknown): void {
    this.#handlerErrors += 1;
    const key = notification.type === "synced" ? undefined : objectKey(notification.object);
    this.#log("handler failed", { event: notification.type, key, ...describe(error) });
  }

  #log(message: string, fields: object): void {
    this.#logger.error({ informer: this.#options.name, ...fields }, message);
  }
}

function closedError(): KubeError {
  return new KubeError("ERR_KUBE_CLOSED", "the informer is closed");
}
