import type { Logger } from "@newleaf/daemon";
import { persist } from "./persist.ts";

/** Tells somebody of changes, one after the other: changes that come while it is busy are told as one. */
export interface Notifier {
  notify(): void;
  run(signal: AbortSignal): Promise<void>;
}

export function createNotifier(tell: () => Promise<void>, logger: Logger): Notifier {
  let pending = false;
  let wake = (): void => {};
  const onFailure = (error: unknown): void => {
    logger.warn({ error: error instanceof Error ? error.message : String(error) }, "not told, trying again");
  };
  return {
    notify() {
      pending = true;
      wake();
    },
    async run(signal) {
      while (!signal.aborted) {
        if (pending) {
          pending = false;
          await persist(tell, { signal, onFailure, baseMs: 500, maxMs: 30_000 });
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    },
  };
}
