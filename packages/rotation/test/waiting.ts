import type { Rotation } from "../src/rotation.ts";
import type { RotationRecord } from "../src/rotation-record.ts";

const DEADLINE_MS = 15_000;

/** Resolves when the condition holds, looked at once in every turn of the event loop. */
export async function until(condition: () => boolean, deadlineMs: number = DEADLINE_MS): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`condition not met: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let settle: Pick<Deferred<T>, "resolve" | "reject"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  if (!settle) throw new Error("unreachable");
  return { promise, ...settle };
}

/** The records as they come, in an array that grows. */
export function collect(rotation: Rotation): RotationRecord[] {
  const records: RotationRecord[] = [];
  void (async () => {
    for await (const record of rotation.records()) records.push(record);
  })();
  return records;
}

/** Everyone who arrives waits until all have. */
export function barrier(parties: number): () => Promise<void> {
  const opened = deferred<void>();
  let missing = parties;
  return () => {
    missing -= 1;
    if (missing === 0) opened.resolve();
    return opened.promise;
  };
}
