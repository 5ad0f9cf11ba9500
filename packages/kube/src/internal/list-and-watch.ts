import { type Backoff, createBackoff } from "../backoff.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { KubeObject } from "../kube-object.ts";
import { type Logger, silentLogger } from "../logger.ts";
import type { Freshness, Reflector, ReflectorOptions, ReflectorStats } from "../reflector.ts";
import { delay } from "./delay.ts";
import {
  describe,
  isExpired,
  isInternalError,
  isInvalid,
  isTooLargeResourceVersion,
  isWatchRetriable,
  retryAfterOf,
  statusOf,
} from "./failure.ts";
import { type Attempt, Intake } from "./intake.ts";
import { type Listing, listObjects } from "./list-objects.ts";
import { onAbort } from "./on-abort.ts";
import { Position } from "./position.ts";
import { createRetryWindow, type RetryWindow } from "./retry-window.ts";
import { runWatch, type WatchEnd } from "./watch-session.ts";

const OPEN_MS = 30_000;
const GRACE_MS = 10_000;
const MIN_TIMEOUT_SECONDS = 300;
const SHORT_WATCH_MS = 1_000;
const SHORT_WATCHES_BEFORE_LIST = 3;
const PAGE_SIZE = 500;

/** `stream` is a watch that begins with all objects. */
type Step = "list" | "stream" | "watch";

/** What to do next, and whether to back off before. */
interface Next {
  readonly step: Step;
  readonly wait?: { readonly retryAfterMs?: number | undefined };
}

export class ListAndWatch<T extends KubeObject> implements Reflector {
  readonly #options: ReflectorOptions<T>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #backoff: Backoff;
  readonly #internalErrors: RetryWindow;
  readonly #position: Position;
  readonly #intake: Intake<T>;
  readonly #stop = new AbortController();
  readonly #stats = {
    lists: 0,
    listFailures: 0,
    watches: 0,
    watchFailures: 0,
    silentWatches: 0,
    expired: 0,
    events: 0,
    bookmarks: 0,
    transformErrors: 0,
  };
  #running: Promise<void> = Promise.resolve();
  /** The server answers "0" in pages, so it has no cache. */
  #serverPages = false;
  #watchList: boolean;
  #watching = false;
  #silences = 0;
  #shortWatches = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#logger = options.logger ?? silentLogger;
    this.#backoff = createBackoff({ clock: this.#clock, random: this.#random });
    this.#internalErrors = createRetryWindow(this.#clock, options.internalErrorRetryMs ?? 60_000);
    this.#position = new Position(this.#clock);
    this.#intake = new Intake(options, {
      position: this.#position,
      stats: this.#stats,
      logger: this.#logger,
    });
    this.#watchList = options.watchList ?? false;
  }

  start(): void {
    const { signal } = this.#options;
    const letGo = onAbort(signal, () => this.#stop.abort());
    this.#running = this.#run().finally(letGo);
  }

  freshness(): Freshness {
    return this.#position.freshness(this.#watching);
  }

  stats(): ReflectorStats {
    return { ...this.#stats };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let step = this.#listStep();
    while (!signal.aborted) {
      const next: Next = step === "list" ? await this.#list() : await this.#watch(step === "stream");
      step = next.step;
      if (next.wait) await delay(this.#clock, this.#backoff.next(next.wait.retryAfterMs), signal);
    }
  }

  #listStep(): Step {
    return this.#watchList ? "stream" : "list";
  }

  async #list(): Promise<Next> {
    try {
      const listing = await this.#listOrStartOver();
      this.#stop.signal.throwIfAborted();
      this.#intake.replace(listing.objects, listing.resourceVersion);
      return { step: "watch" };
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#stats.listFailures += 1;
        this.#log("warn", describe(error), "list failed; keeping what is known");
      }
      return { step: this.#listStep(), wait: { retryAfterMs: retryAfterOf(error) } };
    }
  }

  async #listOrStartOver(): Promise<Listing<T>> {
    const resourceVersion = this.#position.listFrom;
    try {
      const listing = await this.#listAt(resourceVersion);
      if (resourceVersion === "0" && listing.paginated) this.#serverPages = true;
      return listing;
    } catch (error) {
      if (!this.#noteLostState(error)) throw error;
      this.#position.lose();
      return this.#listAt("");
    }
  }

  #listAt(resourceVersion: string): Promise<Listing<T>> {
    const { source, labelSelector, fieldSelector, pageSize, listTimeoutMs = 60_000 } = this.#options;
    // With any other version a page would be read from etcd, and without a limit from the server's cache.
    const anyVersion = resourceVersion === "" || resourceVersion === "0";
    const limit = pageSize ?? (anyVersion || this.#serverPages ? PAGE_SIZE : undefined);
    this.#stats.lists += 1;
    return listObjects(
      source,
      {
        labelSelector,
        fieldSelector,
        resourceVersion,
        // Without it a page is of exactly that version, and watching from there may have expired: the same list for ever.
        resourceVersionMatch: limit === undefined || anyVersion ? undefined : "NotOlderThan",
        limit,
        timeoutMs: listTimeoutMs,
        signal: this.#stop.signal,
      },
      (object) => this.#intake.transform(object),
    );
  }

  async #watch(streaming: boolean): Promise<Next> {
    const attempt: Attempt<T> = {
      startedAt: this.#clock.monotonic(),
      opened: false,
      progress: 0,
      initial: streaming ? new Map() : undefined,
    };
    try {
      const end = await this.#runWatch(attempt);
      return this.#afterWatch(end, attempt);
    } catch (error) {
      if (this.#stop.signal.aborted) return { step: "watch" };
      return this.#afterWatchFailure(error, attempt);
    } finally {
      this.#watching = false;
    }
  }

  #runWatch(attempt: Attempt<T>): Promise<WatchEnd> {
    const { source, labelSelector, fieldSelector, silenceMs = 150_000 } = this.#options;
    const timeoutSeconds = Math.floor(MIN_TIMEOUT_SECONDS * (1 + this.#random()));
    const overdueAt = attempt.startedAt + (this.#options.watchListTimeoutMs ?? 30_000);
    this.#stats.watches += 1;
    return runWatch({
      source,
      options: {
        labelSelector,
        fieldSelector,
        resourceVersion: this.#position.watchFrom,
        allowWatchBookmarks: true,
        timeoutSeconds,
        ...(attempt.initial && { sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" }),
      },
      clock: this.#clock,
      signal: this.#stop.signal,
      openMs: OPEN_MS,
      silenceMs: () => silenceMs * 2 ** Math.min(this.#silences, 10),
      lastsMs: timeoutSeconds * 1000 + GRACE_MS,
      expectedBy: () => (attempt.initial ? overdueAt : undefined),
      onOpen: () => {
        attempt.opened = true;
        this.#watching = true;
      },
      onEvent: (event) => {
        if (event.type === "BOOKMARK") this.#silences = 0;
        this.#intake.take(event, attempt);
      },
    });
  }

  #afterWatch(end: WatchEnd, attempt: Attempt<T>): Next {
    const lastedMs = this.#clock.monotonic() - attempt.startedAt;
    if (end === "overdue") {
      this.#watchList = false;
      this.#log("warn", { lastedMs }, "streamed list did not come to its end; listing from now on");
      return { step: "list" };
    }
    const short = lastedMs < SHORT_WATCH_MS && attempt.progress === 0;
    if (attempt.initial) return short ? { step: "list" } : { step: "stream", wait: {} };
    if (end === "silent") {
      this.#silences += 1;
      this.#stats.silentWatches += 1;
      this.#log("info", { lastedMs }, "watch was silent; opening it anew");
    }
    this.#shortWatches = short ? this.#shortWatches + 1 : 0;
    if (!short) return { step: "watch" };
    this.#log("warn", { lastedMs }, "watch ended at once");
    if (this.#shortWatches < SHORT_WATCHES_BEFORE_LIST) return { step: "watch", wait: {} };
    // The server may be refusing the version without saying so.
    this.#shortWatches = 0;
    return { step: this.#listStep(), wait: {} };
  }

  #afterWatchFailure(error: unknown, attempt: Attempt<T>): Next {
    this.#stats.watchFailures += 1;
    this.#log("info", describe(error), "watch failed");
    const wait = { retryAfterMs: retryAfterOf(error) };
    if (this.#noteLostState(error)) {
      // A list at the version of an expired watch is answered with something newer, from the server's cache.
      if (attempt.initial || isTooLargeResourceVersion(error)) this.#position.lose();
      return { step: this.#listStep(), wait };
    }
    if (attempt.initial) {
      if (isWatchRetriable(error)) return { step: "stream", wait };
      if (isInvalid(error)) this.#watchList = false;
      return { step: "list" };
    }
    if (attempt.opened && !statusOf(error)) return this.#afterWatch("ended", attempt);
    if (isInternalError(error)) {
      return { step: this.#internalErrors.allows() ? "watch" : this.#listStep(), wait };
    }
    return { step: isWatchRetriable(error) ? "watch" : this.#listStep(), wait };
  }

  #noteLostState(error: unknown): boolean {
    const lost = isExpired(error) || isTooLargeResourceVersion(error);
    if (lost) {
      this.#stats.expired += 1;
      this.#log("info", describe(error), "resource version is not available");
    }
    return lost;
  }

  #log(level: keyof Logger, fields: object, message: string): void {
    this.#logger[level]({ reflector: this.#options.name, ...fields }, message);
  }
}
