import type { ServerResponse } from "node:http";
import type { Clock } from "@newleaf/kube";

export type ReviewEnd = "timeout" | "gone";

/** Until when a review is worth anything: its time, or until its client has gone. */
export interface Deadline {
  readonly signal: AbortSignal;
  ended(): ReviewEnd | undefined;
  /** The result, or the signal's reason as soon as it is aborted, whatever the work does. */
  race<T>(work: () => Promise<T>): Promise<T>;
  stop(): void;
}

/**
 * Milliseconds for a review. The API server appends `timeout=10s`, its own patience, to the URL; a tenth of it, 100 ms
 * to 1 s, is left for the way.
 */
export function deadlineOf(query: string, timeoutMs: number): number {
  const serverMs = parseGoDuration(new URLSearchParams(query).get("timeout") ?? "");
  if (serverMs === undefined) return timeoutMs;
  const margin = Math.min(1_000, Math.max(100, serverMs / 10));
  return Math.max(1, Math.min(timeoutMs, serverMs - margin));
}

export function startDeadline(ms: number, response: ServerResponse, clock: Clock): Deadline {
  const aborter = new AbortController();
  let end: ReviewEnd | undefined;
  const finish = (how: ReviewEnd, reason: DOMException): void => {
    end ??= how;
    aborter.abort(reason);
  };
  const onClose = (): void => finish("gone", new DOMException("the API server has gone away", "AbortError"));
  const timer = clock.setTimeout(
    () => finish("timeout", new DOMException("the review took too long", "TimeoutError")),
    ms,
  );
  response.once("close", onClose);
  return {
    signal: aborter.signal,
    ended: () => end,
    race: (work) => race(work(), aborter.signal),
    stop() {
      timer.cancel();
      response.off("close", onClose);
    },
  };
}

function race<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** `1m30s`, `500ms`: Go's time.ParseDuration, without signs and the units below a millisecond. */
function parseGoDuration(text: string): number | undefined {
  if (!/^(\d{1,9}(\.\d{1,9})?(h|m|s|ms))+$/.test(text)) return undefined;
  const units = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)(ms|h|m|s)/g)) {
    total += Number(number) * units[unit as keyof typeof units];
  }
  return total;
}
