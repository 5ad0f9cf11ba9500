import { onAbort } from "./on-abort.ts";

/** Something that happens once, or never; anybody may wait for it. */
export class Latch {
  readonly #waiting = new Set<{ resolve(): void; reject(reason: unknown): void }>();
  #open = false;
  #failure: { readonly reason: unknown } | undefined;

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    if (this.#open || this.#failure) return;
    this.#open = true;
    for (const waiter of this.#waiting) waiter.resolve();
  }

  /** It will not happen any more. Without effect when it has. */
  fail(reason: unknown): void {
    if (this.#open || this.#failure) return;
    this.#failure = { reason };
    for (const waiter of this.#waiting) waiter.reject(reason);
  }

  /** Rejects with the signal's reason, or with that of `fail`. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#open) return resolve();
      if (this.#failure) throw this.#failure.reason;
      const forget = (): void => {
        this.#waiting.delete(waiter);
        letGo();
      };
      const waiter = {
        resolve: (): void => {
          forget();
          resolve();
        },
        reject: (reason: unknown): void => {
          forget();
          reject(reason);
        },
      };
      this.#waiting.add(waiter);
      const letGo = onAbort(signal, () => waiter.reject(signal?.reason));
    });
  }
}
