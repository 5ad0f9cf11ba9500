import type { Clock } from "@newleaf/daemon";
import type { Standing, StandingRefusal, Subscriber, Subscribers } from "./subscribers.ts";

/**
 * Resolves when everyone who is connected now and has asked for one of the names has taken over what is current, or has
 * left. Rejects with the first refusal in the client's own words, or, after `timeoutMs` without an answer of some, with
 * who that is.
 */
export function whenAcknowledged(
  subscribers: Subscribers,
  names: readonly string[],
  options: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly clock: Clock },
): Promise<void> {
  const { signal, timeoutMs, clock } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const pending = new Set<Subscriber>();
    const settle = (outcome: () => void): void => {
      changes[Symbol.dispose]();
      timer.cancel();
      signal.removeEventListener("abort", abort);
      outcome();
    };
    const judge = (standing: Standing, subscriber: Subscriber): void => {
      if (typeof standing === "object") settle(() => reject(new Error(describeRefusal(standing))));
      else if (standing === "waiting") pending.add(subscriber);
      else pending.delete(subscriber);
    };
    const changes = subscribers.onChange((subscriber) => {
      // Whoever came later was given what is current from the start.
      if (!pending.has(subscriber)) return;
      judge(subscribers.standing(subscriber, names), subscriber);
      if (pending.size === 0) settle(resolve);
    });
    const timer = clock.setTimeout(
      () => settle(() => reject(new Error(describeWaiting(pending)))),
      timeoutMs,
    );
    const abort = (): void => settle(() => reject(signal.reason));
    signal.addEventListener("abort", abort, { once: true });
    for (const subscriber of subscribers) judge(subscribers.standing(subscriber, names), subscriber);
    if (pending.size === 0) settle(resolve);
  });
}

function describeRefusal({ secret, node, peer, message }: StandingRefusal): string {
  return `Envoy ${node || peer} refused ${secret}: ${message}`;
}

function describeWaiting(pending: ReadonlySet<Subscriber>): string {
  const [first] = pending;
  const others = pending.size > 1 ? ` and ${pending.size - 1} other streams` : "";
  return `Envoy ${first?.node || first?.peer}${others} did not answer`;
}
