import type { SecretStore } from "./secret-store.ts";
import type { Subscriptions, Verdict } from "./subscriptions.ts";

/** One open stream of an Envoy. */
export interface Subscriber {
  readonly id: number;
  readonly protocol: "sotw" | "delta";
  /** As the Envoy calls itself; "" before it has. */
  readonly node: string;
  /** The client's address or identity, as the listener knows it. */
  readonly peer: string;
  readonly subscriptions: Subscriptions;
  /** Sends what there is to send, as soon as the client takes it. */
  flush(): void;
}

/** A client's refusal of what is current. */
export interface StandingRefusal {
  readonly secret: string;
  readonly version: string;
  readonly node: string;
  readonly peer: string;
  /** The client's own words. */
  readonly message: string;
}

/** How a stream stands towards what is current under some names: the worst of them. */
export type Standing = "done" | "waiting" | StandingRefusal;

/** Everyone who is connected, and what they have said of what they were sent. */
export interface Subscribers {
  readonly size: number;
  [Symbol.iterator](): Iterator<Subscriber>;
  add(subscriber: Subscriber): Disposable;
  /** To be told when a subscriber has answered. */
  heard(subscriber: Subscriber, verdicts: readonly Verdict[]): void;
  standing(subscriber: Subscriber, names: Iterable<string>): Standing;
  /** Called whenever a subscriber has answered or left. */
  onChange(listener: (subscriber: Subscriber) => void): Disposable;
}

export function createSubscribers(store: SecretStore): Subscribers {
  const subscribers = new Set<Subscriber>();
  const listeners = new Set<(subscriber: Subscriber) => void>();
  store.onChange(() => {
    for (const subscriber of subscribers) subscriber.flush();
  });
  const tell = (subscriber: Subscriber): void => {
    for (const listener of [...listeners]) listener(subscriber);
  };
  return {
    get size() {
      return subscribers.size;
    },
    [Symbol.iterator]: () => subscribers.values(),
    add(subscriber) {
      subscribers.add(subscriber);
      return {
        [Symbol.dispose]() {
          if (subscribers.delete(subscriber)) tell(subscriber);
        },
      };
    },
    heard(subscriber, verdicts) {
      if (verdicts.length > 0) tell(subscriber);
    },
    standing(subscriber, names) {
      if (!subscribers.has(subscriber)) return "done";
      let waiting = false;
      for (const name of names) {
        const subscription = subscriber.subscriptions.get(name);
        const current = store.get(name);
        if (!subscription || !current) continue;
        const { acknowledged, refused } = subscription;
        const { version } = current;
        if (refused?.version === version) {
          const { node, peer } = subscriber;
          return { secret: name, version, node, peer, message: refused.message };
        }
        waiting ||= acknowledged !== version;
      }
      return waiting ? "waiting" : "done";
    },
    onChange(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}

/** Refusals of what is current, at most `limit`: one for each stream and secret. */
export function standingRefusals(subscribers: Subscribers, limit: number): readonly StandingRefusal[] {
  const found: StandingRefusal[] = [];
  for (const subscriber of subscribers) {
    for (const { name, refused } of subscriber.subscriptions) {
      const standing = refused && subscribers.standing(subscriber, [name]);
      if (typeof standing === "object") found.push(standing);
      if (found.length >= limit) return found;
    }
  }
  return found;
}

/** Names that are asked for and that there is nothing of, with how many ask; at most `limit` names. */
export function missingNames(
  subscribers: Subscribers,
  store: SecretStore,
  limit: number,
): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const subscriber of subscribers) {
    for (const { name } of subscriber.subscriptions) {
      if (store.get(name) || (counts.size >= limit && !counts.has(name))) continue;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return Object.fromEntries(counts);
}
