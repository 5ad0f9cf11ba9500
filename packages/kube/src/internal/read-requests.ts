import { KubeError } from "../error.ts";
import type { KubeObject, ResourceType } from "../kube-object.ts";
import type { ListOptions, ResourceReader, WatchOptions } from "../resource-client.ts";
import type { Answer } from "../status.ts";
import type { WatchStream } from "../watch-event.ts";
import type { Exchange } from "./exchange.ts";
import type { ObjectFormat } from "./object-format.ts";
import { readAnswer } from "./read-answer.ts";
import { readListStream } from "./read-list-stream.ts";
import { type ResourcePlace, resourcePath } from "./resource-path.ts";
import { createWatchStream } from "./watch-stream.ts";
import type { WholeAnswer } from "./whole-answer.ts";

/** Reading one resource, in one namespace or in all, in the format given. */
export function createResourceReader<T extends KubeObject>(
  exchange: Exchange,
  type: ResourceType<KubeObject>,
  namespace: string | undefined,
  format: ObjectFormat<T>,
): ResourceReader<T> {
  const { accept } = format;
  const { clock } = exchange;

  return {
    namespace: type.namespaced ? namespace : undefined,
    get: async (name, options = {}) => {
      const { resourceVersion, signal, timeoutMs, priority } = options;
      if (type.namespaced && namespace === undefined) throw noNamespace(type);
      const path = resourcePath(type, { namespace, name, query: { resourceVersion } });
      const answer = await exchange.fetch({ method: "GET", path, accept, signal, timeoutMs, priority });
      return readAnswer(answer, clock, format.object);
    },
    list: async (options = {}) => {
      const items: T[] = [];
      const answer = await listStream(options, (object) => items.push(object));
      return answer.ok ? { ok: true, value: { items, metadata: answer.value } } : answer;
    },
    listStream,
    watch,
  };

  async function listStream(
    options: ListOptions,
    onItem: (object: T) => void,
  ): ReturnType<ResourceReader<T>["listStream"]> {
    const { signal, timeoutMs, priority } = options;
    const path = collectionPath(listQuery(options));
    const answer = await exchange.stream({ method: "GET", path, accept, signal, timeoutMs, priority });
    if (answer.status !== 200) return readAnswer(await exchange.readAll(answer), clock, notThat("list"));
    const reader = format.list(answer, exchange.maxEventBytes);
    return { ok: true, value: await readListStream(answer, reader, onItem) };
  }

  async function watch(options: WatchOptions = {}): Promise<Answer<WatchStream<T>>> {
    const { timeoutSeconds, signal } = options;
    const path = collectionPath({ watch: true, ...watchQuery(options) });
    // The server ends the watch; one that does not has been lost on the way.
    const lastsMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000 + WATCH_GRACE_MS;
    const answer = await exchange.open({ method: "GET", path, accept, signal }, { lastsMs });
    if (answer.status !== 200) return readAnswer(await exchange.readAll(answer), clock, notThat("watch"));
    const events = format.events(answer, exchange.maxEventBytes);
    return { ok: true, value: createWatchStream<T>(answer, events, clock) };
  }

  function collectionPath(query: NonNullable<ResourcePlace["query"]>): string {
    return resourcePath(type, { namespace, query });
  }
}

const WATCH_GRACE_MS = 10_000;

export function noNamespace({ resource }: ResourceType<KubeObject>): KubeError {
  return new KubeError("ERR_KUBE_CONFIG", `${resource} are in namespaces, and none was named`);
}

function notThat(what: string): (answer: WholeAnswer) => never {
  return (answer) => {
    throw new KubeError("ERR_KUBE_PROTOCOL", `${answer.what}: a ${what} was answered with ${answer.status}`);
  };
}

export function listQuery(options: ListOptions): NonNullable<ResourcePlace["query"]> {
  const { labelSelector, fieldSelector, resourceVersion, resourceVersionMatch, limit } = options;
  return {
    labelSelector,
    fieldSelector,
    resourceVersion: resourceVersion || undefined,
    resourceVersionMatch,
    limit,
    continue: options.continue,
  };
}

function watchQuery(options: WatchOptions): NonNullable<ResourcePlace["query"]> {
  const { labelSelector, fieldSelector, resourceVersion, resourceVersionMatch } = options;
  const { allowWatchBookmarks, sendInitialEvents, timeoutSeconds } = options;
  return {
    labelSelector,
    fieldSelector,
    resourceVersion: resourceVersion || undefined,
    resourceVersionMatch,
    allowWatchBookmarks,
    sendInitialEvents,
    timeoutSeconds,
  };
}
