import type { Clock, Timer } from "@newleaf/rotation";
import { SpiffeError } from "../error.ts";
import type { WorkloadApiStatus } from "../workload-status.ts";
import type { WorkloadApiUpdate } from "./workload-stream.ts";

export interface FollowOptions<T> {
  readonly watch: (signal: AbortSignal) => AsyncIterable<WorkloadApiUpdate<T>>;
  readonly clock: Clock;
  /** How long what was received stays in use once the workload has no identity any more. */
  readonly graceMs: number;
  readonly take: (value: T, receivedAt: Date) => void;
  /** Called once for each failure, and with the error the server refused the call for good with. */
  readonly fail: (
    reason: "unavailable" | "permission_denied" | "discarded" | "refused",
    error: SpiffeError,
  ) => void;
  /** The grace is over: what was received must not be used any longer. */
  readonly lapse: (reason: string) => void;
}

/** One watch of the Workload API that a source lives on. */
export interface Follower {
  status(): WorkloadApiStatus;
  /** Connects anew; resolves when the outcome of that has been taken in. */
  reload(): Promise<void>;
  /**
   * Waits until `ready` resolves. Rejects at once when the server refuses the call for good, and in the end with the last
   * failure: ERR_SPIFFE_UNAVAILABLE where nothing else is known.
   */
  first(of: {
    readonly ready: (signal: AbortSignal) => Promise<unknown>;
    /** What is wrong with the messages that did arrive. */
    readonly why?: () => SpiffeError | undefined;
    readonly waitMs: number;
    readonly signal: AbortSignal | undefined;
  }): Promise<void>;
  /** Ends the watch, which is awaited. */
  close(): Promise<void>;
}

export function followWorkloadApi<T>(options: FollowOptions<T>): Follower {
  const follower = new WatchFollower(options);
  follower.start();
  return follower;
}

class WatchFollower<T> implements Follower {
  readonly #options: FollowOptions<T>;
  readonly #closing = new AbortController();
  readonly #settled = new Set<() => void>();
  readonly #refused: Promise<never>;
  #refuse: (error: SpiffeError) => void = () => {};
  #attempt = new AbortController();
  #grace: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #status: WorkloadApiStatus = {
    connected: false,
    lastMessageAt: undefined,
    lastFailure: undefined,
    messages: 0,
    discarded: 0,
    failures: 0,
  };

  constructor(options: FollowOptions<T>) {
    this.#options = options;
    this.#refused = new Promise((_, reject) => {
      this.#refuse = reject;
    });
    this.#refused.catch(() => {});
  }

  start(): void {
    this.#running = this.#run();
  }

  status(): WorkloadApiStatus {
    return Object.freeze({ ...this.#status });
  }

  async reload(): Promise<void> {
    if (this.#closing.signal.aborted) throw new SpiffeError("ERR_SPIFFE_CLOSED", "the source is closed");
    const settled = this.#nextOutcome();
    this.#attempt.abort();
    await settled;
  }

  async first(of: Parameters<Follower["first"]>[0]): Promise<void> {
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    const timer = this.#options.clock.setTimeout(stop, of.waitMs);
    of.signal?.addEventListener("abort", stop, { once: true });
    if (of.signal?.aborted) stop();
    const over = new Promise<never>((_, reject) => {
      const give = (): void => reject(of.signal?.aborted ? of.signal.reason : this.#nothingWithin(of));
      if (waiting.signal.aborted) give();
      waiting.signal.addEventListener("abort", give, { once: true });
    });
    over.catch(() => {});
    try {
      await Promise.race([of.ready(waiting.signal), this.#refused, over]);
    } finally {
      timer.cancel();
      of.signal?.removeEventListener("abort", stop);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#attempt.abort();
    this.#grace?.cancel();
    await this.#running;
    this.#announce();
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#attempt = new AbortController();
      const { signal } = this.#attempt;
      try {
        for await (const update of this.#options.watch(signal)) {
          if (signal.aborted) break;
          this.#handle(update);
        }
      } catch (error) {
        this.#fail("refused", asSpiffeError(error));
        this.#refuse(asSpiffeError(error));
        this.#announce();
      }
      // Only a reload brings a call back that the server has refused for good.
      if (!signal.aborted) {
        await new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true }),
        );
      }
    }
  }

  #handle(update: WorkloadApiUpdate<T>): void {
    if (update.kind === "value") {
      this.#grace?.cancel();
      this.#grace = undefined;
      const { messages } = this.#status;
      this.#status = {
        ...this.#status,
        connected: true,
        lastMessageAt: update.receivedAt,
        messages: messages + 1,
      };
      this.#take(update.value, update.receivedAt);
    } else {
      this.#fail(update.reason, update.error);
      if (update.reason === "permission_denied") this.#startGrace(update.error.message);
    }
    this.#announce();
  }

  #take(value: T, receivedAt: Date): void {
    try {
      this.#options.take(value, receivedAt);
    } catch (error) {
      // A defect of ours, met by an update: still no reason to end the process and what it serves.
      this.#fail("discarded", asSpiffeError(error));
    }
  }

  #fail(reason: Parameters<FollowOptions<T>["fail"]>[0], error: SpiffeError): void {
    const { failures, discarded } = this.#status;
    this.#status = {
      ...this.#status,
      connected: false,
      lastFailure: { reason, error, at: new Date(this.#options.clock.now()) },
      failures: failures + 1,
      discarded: discarded + (reason === "discarded" ? 1 : 0),
    };
    this.#options.fail(reason, error);
  }

  // Being unreachable in between does not end it: the last that was said is that there is no identity.
  #startGrace(reason: string): void {
    this.#grace ??= this.#options.clock.setTimeout(() => this.#options.lapse(reason), this.#options.graceMs);
  }

  #nextOutcome(): Promise<void> {
    return new Promise((resolve) => void this.#settled.add(resolve));
  }

  #announce(): void {
    for (const resolve of this.#settled) resolve();
    this.#settled.clear();
  }

  #nothingWithin({ waitMs, why }: Parameters<Follower["first"]>[0]): SpiffeError {
    const { connected, lastFailure } = this.#status;
    const cause = connected ? why?.() : lastFailure?.error;
    const message = `nothing usable within ${waitMs} ms: ${cause?.message ?? "the Workload API has not answered"}`;
    return new SpiffeError(cause?.code ?? "ERR_SPIFFE_UNAVAILABLE", message, { cause });
  }
}

function asSpiffeError(error: unknown): SpiffeError {
  if (error instanceof SpiffeError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new SpiffeError("ERR_SPIFFE_WORKLOAD_API", `what the Workload API sent cannot be used: ${why}`, {
    cause: error,
  });
}
