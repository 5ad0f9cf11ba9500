import type { KubeObject, ListerWatcher, WatchEvent, WatchStream } from "@newleaf/kube";

/**
 * The same resource, telling when a watch of it begins and when it has ended, for whatever reason. Lists are of the
 * newest state: from a cache that is behind, a replica that just starts could learn of a certificate that is no longer
 * trusted.
 */
export function loggedWatch<T extends KubeObject>(
  resource: ListerWatcher<T>,
  tell: { established(): void; closed(): void },
): ListerWatcher<T> {
  return {
    list: (options) =>
      resource.list(options.resourceVersion === "0" ? { ...options, resourceVersion: "" } : options),
    async watch(options) {
      const answer = await resource.watch(options);
      if (!answer.ok) return answer;
      tell.established();
      return { ok: true, value: tellingOfItsEnd(answer.value, tell.closed) };
    },
  };
}

function tellingOfItsEnd<T extends KubeObject>(stream: WatchStream<T>, closed: () => void): WatchStream<T> {
  let ended = false;
  const end = (): void => {
    if (!ended) closed();
    ended = true;
  };
  const iterator: WatchStream<T> = {
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      try {
        const result = await stream.next();
        if (result.done) end();
        return result;
      } catch (error) {
        end();
        throw error;
      }
    },
    async return(): Promise<IteratorResult<WatchEvent<T>>> {
      end();
      return (await stream.return?.()) ?? { done: true, value: undefined };
    },
  };
  return iterator;
}
