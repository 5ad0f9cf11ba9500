import type { Answer, KubeClient, KubeList, KubeObject, RequestOptions, ResourceType } from "@newleaf/kube";
import type { Seen } from "../webhook-facts.ts";

interface ListOf {
  readonly namespace?: string;
  readonly labelSelector?: string;
}

/** Reads, and keeps a note of what it may not read; never throws but for the signal. */
export interface KubeAsker {
  readonly client: KubeClient;
  readonly request: RequestOptions;
  readonly unasked: readonly { readonly what: string; readonly why: string }[];
  note(what: string, why: string): void;
  one<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<Seen<T>>;
  all<T extends KubeObject>(type: ResourceType<T>, of: ListOf): Promise<readonly T[] | "unknown">;
  /** Hands over one after the other, so that lists of the whole cluster are never held. */
  each<T extends KubeObject>(
    type: ResourceType<T>,
    take: (object: T) => void,
  ): Promise<"unknown" | undefined>;
  /** For what is worth no note. */
  quietly<T extends KubeObject>(type: ResourceType<T>, of: ListOf): Promise<readonly T[]>;
  quietlyOne<T extends KubeObject>(type: ResourceType<T>, name: string): Promise<T | undefined>;
}

const PAGE = 100;

export function createAsker(
  client: KubeClient,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): KubeAsker {
  const request: RequestOptions = { timeoutMs, signal };
  const unasked: { readonly what: string; readonly why: string }[] = [];
  const note = (what: string, why: string): void => void unasked.push({ what, why });

  const answerTo = async <T>(ask: () => Promise<Answer<T>>): Promise<Answer<T> | string> => {
    try {
      return await ask();
    } catch (error) {
      signal.throwIfAborted();
      return error instanceof Error ? error.message : String(error);
    }
  };
  const page = <T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, labelSelector }: ListOf,
    from: string | undefined,
  ): Promise<Answer<KubeList<T>> | string> =>
    answerTo(() =>
      client
        .resource(type, { namespace })
        .list({ ...request, labelSelector, limit: PAGE, ...(from && { continue: from }) }),
    );
  /** Resolves with why it could not be read to its end. */
  const pages = async <T extends KubeObject>(
    type: ResourceType<T>,
    of: ListOf,
    take: (object: T) => void,
  ): Promise<string | undefined> => {
    let next: string | undefined;
    do {
      const answer = await page(type, of, next);
      if (typeof answer === "string") return answer;
      // An API that is not installed has no objects.
      if (!answer.ok) return answer.status.code === 404 ? undefined : answer.status.message;
      for (const item of answer.value.items) take(item);
      next = answer.value.metadata.continue;
    } while (next);
    return undefined;
  };
  const read = async <T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    namespace: string | undefined,
  ): Promise<Seen<T> | { readonly why: string }> => {
    const answer = await answerTo(() => client.resource(type, { namespace }).get(name, request));
    if (typeof answer === "string") return { why: answer };
    if (answer.ok) return answer.value;
    return answer.status.code === 404 ? "missing" : { why: answer.status.message };
  };

  return {
    client,
    request,
    unasked,
    note,
    async one(type, name, namespace) {
      const found = await read(type, name, namespace);
      if (typeof found === "string" || !("why" in found)) return found;
      note(`${type.kind} ${name}`, found.why);
      return "unknown";
    },
    async all<T extends KubeObject>(type: ResourceType<T>, of: ListOf) {
      const items: T[] = [];
      const why = await pages(type, of, (item) => void items.push(item));
      if (why === undefined) return items;
      note(type.resource, why);
      return "unknown";
    },
    async each(type, take) {
      const why = await pages(type, {}, take);
      if (why === undefined) return undefined;
      note(type.resource, why);
      return "unknown";
    },
    async quietly<T extends KubeObject>(type: ResourceType<T>, of: ListOf) {
      const items: T[] = [];
      await pages(type, of, (item) => void items.push(item));
      return items;
    },
    async quietlyOne(type, name) {
      const found = await read(type, name, undefined);
      return typeof found === "string" || "why" in found ? undefined : found;
    },
  };
}
