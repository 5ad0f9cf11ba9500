import type { Clock } from "../clock.ts";
import type { Generation } from "../generation.ts";
import type { IdentitySource } from "../identity-source.ts";
import { withDeadline } from "./deadline.ts";

const never = new AbortController().signal;

/**
 * For whoever failed with a certificate and will try once more: has the source look for a newer generation, and
 * resolves when there is one or after a random quarter to half of a second, in which a peer may have renewed its own.
 */
export function createRenewalWait(
  source: IdentitySource,
  clock: Clock,
): (failed: Generation) => Promise<void> {
  let reloading: Promise<void> | undefined;
  const reload = (): Promise<void> => {
    reloading ??= source.reload().finally(() => {
      reloading = undefined;
    });
    return reloading;
  };
  return async (failed) => {
    if (source.current().number > failed.number) return;
    // Whoever gives up waiting leaves the reload to others; that it failed is in the source's status.
    reload().catch(() => {});
    await withDeadline(clock, PAUSE_MS / 2 + (PAUSE_MS / 2) * Math.random(), never, async (signal) => {
      for await (const { number } of source.watch(signal)) if (number > failed.number) return;
      // The source was closed; the pause holds all the same.
      await new Promise(() => {});
    }).catch(() => {});
  };
}

const PAUSE_MS = 500;
