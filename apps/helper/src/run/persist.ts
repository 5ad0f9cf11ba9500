import { createBackoff } from "@newleaf/daemon";

export interface PersistOptions {
  readonly signal: AbortSignal;
  readonly baseMs?: number;
  readonly maxMs?: number;
  readonly onFailure: (error: unknown) => void;
}

/** Tries until it succeeds, with backoff; rejects only with the signal's reason. */
export async function persist<T>(attempt: () => Promise<T>, options: PersistOptions): Promise<T> {
  const { signal, baseMs = 1_000, maxMs = 60_000, onFailure } = options;
  const backoff = createBackoff({ baseMs, maxMs });
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      onFailure(error);
    }
    await backoff.wait(signal);
  }
}
