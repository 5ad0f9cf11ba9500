import type { Lease } from "kubernetes-types/coordination/v1.js";
import {
  type Answer,
  type Clock,
  KubeError,
  type RequestOptions,
  type ResourceClient,
  resources,
} from "../src/index.ts";

type Verb = "get" | "create" | "update";

/** What happens to a request: `apply` lets it reach the store, once, at whatever time; the answer may be another. */
export type Intercept = (
  verb: Verb,
  apply: () => Answer<Lease>,
  options: RequestOptions,
) => Promise<Answer<Lease>>;

/** One Lease named `lock` in a store that keeps the API's rules of resourceVersion. */
export interface MemoryLeases {
  readonly lease: Lease | undefined;
  /** What others do to it: a write without conditions. */
  put(lease: Lease): void;
  remove(): void;
  /** Every request that came, in order, by whichever client. */
  readonly requests: readonly Verb[];
  client(intercept?: Intercept): ResourceClient<Lease>;
}

export function createMemoryLeases(): MemoryLeases {
  let lease: Lease | undefined;
  let version = 0;
  const requests: Verb[] = [];

  const store = (next: Lease): Answer<Lease> => {
    const { resourceVersion: _, ...metadata } = next.metadata ?? {};
    const { resourceVersion, ...before } = lease?.metadata ?? {};
    // A write that changes nothing is none.
    const isSame = JSON.stringify([before, lease?.spec]) === JSON.stringify([metadata, next.spec]);
    const kept = isSame ? resourceVersion : String(++version);
    lease = structuredClone({ ...next, metadata: { ...metadata, ...(kept && { resourceVersion: kept }) } });
    return { ok: true, value: structuredClone(lease) };
  };
  const get = (): Answer<Lease> =>
    lease ? { ok: true, value: structuredClone(lease) } : refused(404, "NotFound");
  const create = (next: Lease): Answer<Lease> => (lease ? refused(409, "AlreadyExists") : store(next));
  const update = (next: Lease): Answer<Lease> => {
    if (lease === undefined) return refused(404, "NotFound");
    const condition = next.metadata?.resourceVersion;
    return condition === lease.metadata?.resourceVersion ? store(next) : refused(409, "Conflict");
  };

  return {
    get lease() {
      return structuredClone(lease);
    },
    put: (next) => void store(next),
    remove() {
      lease = undefined;
    },
    requests,
    client(intercept = async (_verb, apply) => apply()) {
      const ask = (
        verb: Verb,
        apply: () => Answer<Lease>,
        options: RequestOptions = {},
      ): Promise<Answer<Lease>> => {
        requests.push(verb);
        return intercept(verb, apply, options);
      };
      const unused = (): never => {
        throw new Error("not a request of leader election");
      };
      return {
        type: resources.leases,
        namespace: "default",
        get: (_name, options) => ask("get", get, options),
        create: (next, options) => ask("create", () => create(next), options),
        update: (next, options) => ask("update", () => update(next), options),
        list: unused,
        listStream: unused,
        patch: unused,
        apply: unused,
        delete: unused,
        watch: unused,
      };
    },
  };
}

export function refused(code: number, reason: string): Answer<never> {
  const none = { retryAfterMs: undefined, details: undefined, requestId: undefined };
  return { ok: false, status: { code, reason, message: `leases "lock": ${reason}`, ...none } };
}

/** The API server is away. */
export const away: Intercept = () =>
  Promise.reject(new KubeError("ERR_KUBE_UNREACHABLE", "connection refused"));

/** No answer comes until the request is given up, or times out. */
export function hanging(clock: Clock): Intercept {
  return (_verb, _apply, { signal, timeoutMs = 30_000 }) =>
    new Promise((_, reject) => {
      const timer = clock.setTimeout(() => reject(new KubeError("ERR_KUBE_TIMEOUT", "no answer")), timeoutMs);
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
}
