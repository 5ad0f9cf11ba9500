import type { KubeObject } from "../kube-object.ts";
import { objectKey } from "../kube-object.ts";
import type { Logger } from "../logger.ts";
import type { ReflectorOptions, ReflectorStats } from "../reflector.ts";
import { dropBookkeeping } from "../transform.ts";
import { describe } from "./failure.ts";
import type { Position } from "./position.ts";
import type { ObjectEvent } from "./watch-session.ts";

/** One watch, from its request to its end. */
export interface Attempt<T extends KubeObject> {
  readonly startedAt: number;
  opened: boolean;
  /** Events and bookmarks that led further. */
  progress: number;
  /** The objects of a streamed state, until it is complete. */
  initial: Map<string, T> | undefined;
}

/** The way of objects from the server into the store: transformed, and in step with the position. */
export class Intake<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #position: Position;
  readonly #stats: { -readonly [K in keyof ReflectorStats]: number };
  readonly #logger: Logger;

  constructor(
    options: ReflectorOptions<T>,
    state: {
      readonly position: Position;
      readonly stats: { -readonly [K in keyof ReflectorStats]: number };
      readonly logger: Logger;
    },
  ) {
    this.#options = options;
    this.#position = state.position;
    this.#stats = state.stats;
    this.#logger = state.logger;
  }

  take(event: ObjectEvent<T>, attempt: Attempt<T>): void {
    this.#position.seen();
    if (event.type === "BOOKMARK") this.#takeBookmark(event, attempt);
    else this.#takeObject(event, attempt);
  }

  replace(objects: Map<string, T>, resourceVersion: string): void {
    this.#options.store.replace(objects, resourceVersion);
    this.#position.replace(resourceVersion);
  }

  /** Undefined for what is to be left out. */
  transform(object: T): T | undefined {
    const { transform = dropBookkeeping, name } = this.#options;
    try {
      return transform(object);
    } catch (error) {
      this.#stats.transformErrors += 1;
      this.#logger.error(
        { reflector: name, key: objectKey(object), ...describe(error) },
        "transform failed; object left out",
      );
      return undefined;
    }
  }

  #takeObject(event: Exclude<ObjectEvent<T>, { readonly type: "BOOKMARK" }>, attempt: Attempt<T>): void {
    this.#stats.events += 1;
    // Before it is transformed, which may leave it out.
    const version = event.object.metadata?.resourceVersion;
    const transformed = this.transform(event.object);
    // What is gone must go, whatever the transform makes of it.
    const object = transformed ?? (event.type === "DELETED" ? event.object : undefined);
    if (attempt.initial) {
      // The state is known once it is complete: what belongs to it leads nowhere yet.
      if (object && event.type === "DELETED") attempt.initial.delete(objectKey(object));
      else if (object) attempt.initial.set(objectKey(object), object);
      return;
    }
    if (object) this.#store(event.type, object);
    if (this.#position.advance(version)) attempt.progress += 1;
  }

  #takeBookmark(event: ObjectEvent<T> & { readonly type: "BOOKMARK" }, attempt: Attempt<T>): void {
    this.#stats.bookmarks += 1;
    if (!attempt.initial) {
      if (this.#position.advance(event.resourceVersion)) attempt.progress += 1;
      this.#options.store.bookmark(event.resourceVersion);
    } else if (event.initialEventsEnd) {
      attempt.progress += 1;
      this.replace(attempt.initial, event.resourceVersion);
      attempt.initial = undefined;
    }
  }

  #store(type: "ADDED" | "MODIFIED" | "DELETED", object: T): void {
    const { store } = this.#options;
    if (type === "ADDED") store.add(object);
    else if (type === "MODIFIED") store.update(object);
    else store.delete(object);
  }
}
