import type { Clock } from "../clock.ts";

type Priority = "normal" | "high";

/** A token bucket. Undefined when there was a token; otherwise resolves when one has come, those of high priority first. */
export interface RateLimiter {
  take(priority: Priority, signal: AbortSignal): Promise<void> | undefined;
}

export function createRateLimiter(
  { qps, burst }: { readonly qps: number; readonly burst: number },
  clock: Clock,
): RateLimiter {
  const waiting: Readonly<Record<Priority, Set<() => void>>> = { high: new Set(), normal: new Set() };
  let tokens = burst;
  let filledAt = clock.monotonic();
  let armed = false;

  return {
    take(priority, signal) {
      fill();
      if (tokens >= 1 && waiting.high.size + waiting.normal.size === 0) {
        tokens -= 1;
        return undefined;
      }
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const turn = (): void => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        };
        const giveUp = (): void => {
          waiting[priority].delete(turn);
          reject(signal.reason);
        };
        signal.addEventListener("abort", giveUp, { once: true });
        waiting[priority].add(turn);
        release();
      });
    },
  };

  function fill(): void {
    const now = clock.monotonic();
    tokens = Math.min(burst, tokens + ((now - filledAt) * qps) / 1000);
    filledAt = now;
  }

  function release(): void {
    fill();
    for (const queue of [waiting.high, waiting.normal]) {
      for (const turn of queue) {
        // Fractions of milliseconds must not cost another round.
        if (tokens < 1 - 1e-6) {
          wait();
          return;
        }
        tokens -= 1;
        queue.delete(turn);
        turn();
      }
    }
  }

  function wait(): void {
    if (armed) return;
    armed = true;
    clock.setTimeout(
      () => {
        armed = false;
        release();
      },
      Math.max(1, Math.ceil(((1 - tokens) * 1000) / qps)),
    );
  }
}
