import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { KubeObject } from "../kube-object.ts";
import type { ListerWatcher, WatchOptions } from "../resource-client.ts";
import { valueOrThrow } from "../status.ts";
import type { WatchEvent } from "../watch-event.ts";

export interface WatchSession<T extends KubeObject> {
  readonly source: ListerWatcher<T>;
  readonly options: WatchOptions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long the server may take to accept the watch. */
  readonly openMs: number;
  /** How long it may say nothing, as things are now. */
  readonly silenceMs: () => number;
  /** When it must be over. */
  readonly lastsMs: number;
  readonly onOpen: () => void;
  readonly onEvent: (event: ObjectEvent<T>) => void;
  /** The time until which something must have come, while that is so; asked whenever a limit was reached. */
  readonly expectedBy?: () => number | undefined;
}

export type ObjectEvent<T extends KubeObject> = Exclude<WatchEvent<T>, { readonly type: "ERROR" }>;

/** Limits may come closer. */
const LOOK_MS = 60_000;

/** `silent` and `overdue`: dropped, because it may have been lost on the way without anybody being told. */
export type WatchEnd = "ended" | "silent" | "overdue";

/**
 * One watch from request to end. Rejects with ERR_KUBE_STATUS for a refusal or an ERROR event, ERR_KUBE_TIMEOUT when
 * it was not accepted in time, the signal's reason, or what the stream broke with. The request is over by then.
 */
export async function runWatch<T extends KubeObject>(session: WatchSession<T>): Promise<WatchEnd> {
  const { source, clock, signal } = session;
  signal.throwIfAborted();
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });

  const startedAt = clock.monotonic();
  let lastAt = startedAt;
  let opened = false;
  let dropped: WatchEnd | undefined;
  let timer: { cancel(): void } | undefined;
  // One timer that looks when it is due, not one an event.
  const guard = (): void => {
    const limit = opened ? nextLimit(session, startedAt, lastAt) : { atMs: startedAt + session.openMs };
    const leftMs = limit.atMs - clock.monotonic();
    if (leftMs > 0) {
      timer = clock.setTimeout(guard, Math.min(leftMs, LOOK_MS));
    } else {
      dropped = limit.end;
      controller.abort(
        new KubeError("ERR_KUBE_TIMEOUT", opened ? "watch: dropped" : "watch: not accepted in time"),
      );
    }
  };

  try {
    guard();
    const answer = await source.watch({ ...session.options, signal: controller.signal });
    const stream = valueOrThrow(answer, "watch");
    opened = true;
    lastAt = clock.monotonic();
    timer?.cancel();
    guard();
    if (!controller.signal.aborted) session.onOpen();
    // Leaving the loop in any way ends the request.
    for await (const event of stream) {
      controller.signal.throwIfAborted();
      lastAt = clock.monotonic();
      if (event.type === "ERROR") valueOrThrow({ ok: false, status: event.status }, "watch");
      else session.onEvent(event);
    }
    controller.signal.throwIfAborted();
    return "ended";
  } catch (error) {
    if (dropped !== undefined && !signal.aborted) return dropped;
    // A stream that was aborted may end with an error of its own.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    timer?.cancel();
    signal.removeEventListener("abort", onAbort);
    controller.abort();
  }
}

interface Limit {
  readonly atMs: number;
  readonly end?: WatchEnd;
}

function nextLimit<T extends KubeObject>(session: WatchSession<T>, startedAt: number, lastAt: number): Limit {
  const silent: Limit = {
    atMs: Math.min(lastAt + session.silenceMs(), startedAt + session.lastsMs),
    end: "silent",
  };
  const expectedBy = session.expectedBy?.();
  return expectedBy !== undefined && expectedBy < silent.atMs ? { atMs: expectedBy, end: "overdue" } : silent;
}
