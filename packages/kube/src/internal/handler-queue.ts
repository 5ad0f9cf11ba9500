import type { Clock } from "../clock.ts";
import type { InformerHandler } from "../informer.ts";
import type { KubeObject } from "../kube-object.ts";
import { Latch } from "./latch.ts";

export type Notification<T extends KubeObject> =
  | { readonly type: "add"; readonly object: T; readonly initial: boolean }
  | { readonly type: "update"; readonly old: T; readonly object: T }
  | { readonly type: "delete"; readonly object: T; readonly finalStateUnknown: boolean }
  /** All that was there at the start has been delivered. */
  | { readonly type: "synced" };

/** What handlers may do at a stretch before others get their turn. */
const SLICE_MS = 10;
const COMPACT_AT = 1024;

/**
 * Delivers to one handler, one notification after the other, each awaited. It holds as many as the handler is behind:
 * nothing is left out and no other handler waits.
 */
export class HandlerQueue<T extends KubeObject> {
  readonly synced: Latch = new Latch();
  readonly #handler: InformerHandler<T>;
  readonly #clock: Clock;
  readonly #onError: (notification: Notification<T>, error: unknown) => void;
  #queue: Notification<T>[] = [];
  #head = 0;
  #draining: Promise<void> | undefined;
  #stopped = false;

  constructor(
    handler: InformerHandler<T>,
    options: {
      readonly clock: Clock;
      readonly onError: (notification: Notification<T>, error: unknown) => void;
    },
  ) {
    this.#handler = handler;
    this.#clock = options.clock;
    this.#onError = options.onError;
  }

  get length(): number {
    return this.#queue.length - this.#head;
  }

  push(notification: Notification<T>): void {
    if (this.#stopped) return;
    this.#queue.push(notification);
    this.#draining ??= this.#drain();
  }

  /** Nothing is delivered any more. Resolves when the call under way has ended. */
  stop(reason: unknown): Promise<void> {
    this.#stopped = true;
    this.#queue = [];
    this.#head = 0;
    this.synced.fail(reason);
    return this.#draining ?? Promise.resolve();
  }

  async #drain(): Promise<void> {
    // Not within the call that changed the store.
    await Promise.resolve();
    let busyMs = 0;
    let since = this.#clock.monotonic();
    for (let next = this.#shift(); next; next = this.#shift()) {
      try {
        const handled = this.#deliver(next);
        // Between quick calls too: of ten thousand, what is around them takes longer than they do.
        busyMs += this.#clock.monotonic() - since;
        if (handled !== undefined) await handled;
      } catch (error) {
        this.#onError(next, error);
      }
      if (busyMs >= SLICE_MS) {
        busyMs = 0;
        await new Promise<void>((resolve) => void this.#clock.setTimeout(resolve, 0));
      }
      since = this.#clock.monotonic();
    }
    this.#draining = undefined;
  }

  #deliver(notification: Notification<T>): void | Promise<void> {
    switch (notification.type) {
      case "add":
        return this.#handler.add?.(notification.object, { initial: notification.initial });
      case "update":
        return this.#handler.update?.(notification.old, notification.object);
      case "delete":
        return this.#handler.delete?.(notification.object, {
          finalStateUnknown: notification.finalStateUnknown,
        });
      case "synced":
        return this.synced.open();
    }
  }

  #shift(): Notification<T> | undefined {
    if (this.#head >= this.#queue.length) return undefined;
    const next = this.#queue[this.#head];
    this.#head += 1;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return next;
  }
}
