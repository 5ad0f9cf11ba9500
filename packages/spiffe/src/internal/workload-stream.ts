import type { Logger } from "@newleaf/rotation";
import { type AttemptEnd, attemptEnd, streamEnded, type WorkloadApiFailure } from "../workload-failure.ts";
import { delay } from "./delay.ts";
import { retryDelayMs } from "./retry-delay.ts";
import { type RequestMethod, streamCall, type WorkloadEndpoint } from "./workload-call.ts";

/** What a watch of the Workload API yields: news, each the whole of it, or why there is none for now. */
export type WorkloadApiUpdate<T> =
  | { readonly kind: "value"; readonly value: T; readonly receivedAt: Date }
  | ({ readonly kind: "failure" } & WorkloadApiFailure);

export interface Subscription<Q, T> {
  readonly endpoint: WorkloadEndpoint;
  readonly logger: Logger;
  readonly method: RequestMethod<Q>;
  readonly request: Q;
  /** Throws when the message must be discarded. */
  readonly read: (octets: Uint8Array) => T;
}

/** At most one reconnection in this time goes without a wait, lest a server that closes every stream is hammered. */
const AT_ONCE_EVERY_MS = 1_000;

/**
 * Keeps a stream open, for as long as the signal lets it. One that has delivered is opened again at once when it
 * ends (SPIFFE Workload API section 4.2), without a word if that succeeds; otherwise with backoff. Throws when the server
 * refuses the call for good.
 */
export async function* keepStream<Q, T>(
  subscription: Subscription<Q, T>,
  signal: AbortSignal,
): AsyncGenerator<WorkloadApiUpdate<T>, void> {
  const { clock } = subscription.endpoint;
  // Timers of the clock do not keep the process alive while it waits for the next attempt.
  const alive = setInterval(() => {}, 2 ** 30);
  let failures = 0;
  let atOnceAt = Number.NEGATIVE_INFINITY;
  try {
    while (!signal.aborted) {
      let delivered = false;
      let end: AttemptEnd = streamEnded();
      const messages = readStream(subscription, signal);
      try {
        for await (const value of messages) {
          delivered = true;
          failures = 0;
          yield { kind: "value", value, receivedAt: new Date(clock.now()) };
        }
      } catch (error) {
        end = attemptEnd(error);
      }
      if (signal.aborted) return;
      if (end.final) throw end.error;
      if (delivered && end.reason === "unavailable" && clock.now() - atOnceAt >= AT_ONCE_EVERY_MS) {
        atOnceAt = clock.now();
        subscription.logger.debug({ reason: end.error.message }, "workload API stream ended, reconnecting");
        continue;
      }
      failures += 1;
      const retryInMs = retryDelayMs(failures);
      yield { kind: "failure", reason: end.reason, error: end.error, retryInMs };
      await delay(clock, retryInMs, signal);
    }
  } finally {
    clearInterval(alive);
  }
}

/** The first message of a stream, in one attempt. */
export async function firstOfStream<Q, T>(
  subscription: Subscription<Q, T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  let end = streamEnded();
  try {
    for await (const value of readStream(subscription, signal ?? new AbortController().signal)) return value;
  } catch (error) {
    end = attemptEnd(error);
  }
  signal?.throwIfAborted();
  throw end.error;
}

async function* readStream<Q, T>(
  { endpoint, method, request, read }: Subscription<Q, T>,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  for await (const octets of streamCall(endpoint, method, request, signal)) yield read(octets);
}
