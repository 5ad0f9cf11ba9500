import { setTimeout as sleep } from "node:timers/promises";
import { failure } from "@newleaf/daemon";

const EVERY_MS = 5;
const WITHIN_MS = 20_000;

/** Asks until there is an answer; fails with `what` did not happen in time, or with the signal's reason. */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | false,
  signal: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + WITHIN_MS;
  for (;;) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw failure(`after ${WITHIN_MS / 1000} s still not: ${what}`);
    await sleep(EVERY_MS, undefined, { signal });
  }
}
