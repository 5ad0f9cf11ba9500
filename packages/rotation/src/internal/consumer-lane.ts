import type { Clock } from "../clock.ts";
import type { Consumer } from "../consumer.ts";
import type { Generation } from "../generation.ts";
import { withDeadline } from "./deadline.ts";

/** How long a load waits for an earlier one that was told to stop and has not. */
const LATE_LOAD_GRACE_MS = 1_000;

/** One consumer across generations: keeps the loads of successive generations in order. */
export interface ConsumerLane {
  readonly consumer: Consumer;
  load(generation: Generation, signal: AbortSignal): Promise<void>;
}

/** With no earlier load pending, the consumer's `load` is called before this returns. */
export function createConsumerLane(consumer: Consumer, clock: Clock): ConsumerLane {
  let pending: Promise<void> | undefined;
  return {
    consumer,
    async load(generation, signal) {
      // An earlier load landing late would put the older identity back. One that ignores its signal may not
      // block every later generation either; if it does land late, the proof finds out and loads again.
      const earlier = pending;
      if (earlier) await withDeadline(clock, LATE_LOAD_GRACE_MS, signal, () => earlier).catch(() => {});
      signal.throwIfAborted();
      const loading = consumer.load(generation, signal);
      if (!loading) return;
      const settled = loading.then(
        () => {},
        () => {},
      );
      pending = settled;
      try {
        await loading;
      } finally {
        if (pending === settled) pending = undefined;
      }
    },
  };
}
