import { type Clock, type Logger, systemClock } from "@newleaf/rotation";
import type { WorkloadApiStatus } from "../workload-status.ts";
import { followWorkloadApi } from "./follow-workload-api.ts";
import { createLatestValue, type LatestValue } from "./latest-value.ts";
import { silentLogger } from "./silent-logger.ts";
import type { WorkloadApiUpdate } from "./workload-stream.ts";

/** What a source lives on that holds the last message, and nothing once that was taken away. */
export interface FollowedValue<T> {
  current(): T;
  watch(signal?: AbortSignal): AsyncIterableIterator<T>;
  workloadApi(): WorkloadApiStatus;
  reload(): Promise<void>;
  close(): Promise<void>;
}

export async function followValue<T>(options: {
  readonly watch: (signal: AbortSignal) => AsyncIterable<WorkloadApiUpdate<T>>;
  readonly what: string;
  readonly nothing: T;
  /** The Workload API has taken everything away from this workload. */
  readonly lapsed?: () => void;
  readonly graceMs?: number;
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly logger?: Logger;
}): Promise<FollowedValue<T>> {
  const {
    what,
    nothing,
    graceMs = 30_000,
    waitMs = 60_000,
    clock = systemClock,
    logger = silentLogger,
  } = options;
  let resolveFirst: (latest: LatestValue<T>) => void = () => {};
  const first = new Promise<LatestValue<T>>((resolve) => {
    resolveFirst = resolve;
  });
  let received: LatestValue<T> | undefined;
  let failing = false;
  const follower = followWorkloadApi<T>({
    watch: options.watch,
    clock,
    graceMs,
    take: (value) => {
      if (failing) logger.info({ what }, "workload API answers again");
      failing = false;
      received?.set(value);
      received ??= createLatestValue(value);
      resolveFirst(received);
    },
    fail: (reason, { code, message }) => {
      if (!failing)
        logger.warn({ what, reason, code, message }, "workload API has no news, keeping the last");
      failing = true;
    },
    lapse: (reason) => {
      if (!received) return;
      logger.error({ what, reason }, "workload API has taken away what was received");
      received.set(nothing);
      options.lapsed?.();
    },
  });
  const close = async (): Promise<void> => {
    received?.close();
    await follower.close();
  };
  try {
    await follower.first({ ready: () => first, waitMs, signal: options.signal });
  } catch (error) {
    await close();
    throw error;
  }
  const latest = await first;
  return {
    current: latest.current,
    watch: (signal) => latest.watch(signal),
    workloadApi: () => follower.status(),
    reload: () => follower.reload(),
    close,
  };
}
