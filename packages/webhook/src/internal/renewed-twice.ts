import type { Clock, Leadership } from "@newleaf/kube";

const LOOK_MS = 250;

/**
 * Resolves once the Lease was renewed by a request that was sent after the call, so that nobody else can have led
 * before it; also when the signal aborts. Rejects with ERR_KUBE_NOT_LEADER when it is lost instead.
 */
export async function whenRenewedTwice(
  leadership: Leadership,
  clock: Clock,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const deadline = (): number => clock.monotonic() + leadership.remainingMs();
  let last = deadline();
  // The first renewal that is seen may have been under way already.
  for (let renewals = 0; renewals < 2 && !leadership.signal.aborted; ) {
    await pause(LOOK_MS);
    leadership.assertHeld();
    if (deadline() <= last + 1) continue;
    last = deadline();
    renewals += 1;
  }
}
