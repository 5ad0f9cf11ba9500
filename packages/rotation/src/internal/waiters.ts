import type { RotationRecord } from "../rotation-record.ts";

/** Promises for the first record that passes a test. */
export interface Waiters {
  wait(test: (record: RotationRecord) => boolean, signal?: AbortSignal): Promise<RotationRecord>;
  offer(record: RotationRecord): void;
  close(reason: Error): void;
}

interface Waiter {
  readonly test: (record: RotationRecord) => boolean;
  readonly resolve: (record: RotationRecord) => void;
  readonly reject: (reason: unknown) => void;
}

export function createWaiters(): Waiters {
  const waiters = new Set<Waiter>();
  let closed: Error | undefined;
  return {
    wait(test, signal) {
      return new Promise((resolve, reject) => {
        if (closed) throw closed;
        signal?.throwIfAborted();
        const forget = (): void => {
          waiters.delete(waiter);
          signal?.removeEventListener("abort", onAbort);
        };
        const onAbort = (): void => waiter.reject(signal?.reason);
        const waiter: Waiter = {
          test,
          resolve(record) {
            forget();
            resolve(record);
          },
          reject(reason) {
            forget();
            reject(reason);
          },
        };
        waiters.add(waiter);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
    offer(record) {
      for (const waiter of waiters) if (waiter.test(record)) waiter.resolve(record);
    },
    close(reason) {
      closed = reason;
      for (const waiter of waiters) waiter.reject(reason);
    },
  };
}
