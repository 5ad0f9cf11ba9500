import {
  createSpiffeAuthority,
  type SpiffeAuthority,
  startWorkloadApi,
  type WorkloadApiOptions,
  type WorkloadApiServer,
} from "@newleaf/testing";
import { onTestFinished } from "vitest";
import type { SpiffeError } from "../src/error.ts";
import type { WorkloadApiUpdate } from "../src/internal/workload-stream.ts";
import {
  createWorkloadApiClient,
  type WorkloadApiClient,
  type WorkloadApiClientOptions,
} from "../src/workload-api-client.ts";
import type { X509Context } from "../src/x509-context.ts";

export const authority: SpiffeAuthority = createSpiffeAuthority();
export const other: SpiffeAuthority = createSpiffeAuthority({ trustDomain: "other.org" });

export interface Watch {
  /** The next update, within ten seconds. */
  next(): Promise<WorkloadApiUpdate<X509Context>>;
  value(): Promise<X509Context>;
  failure(): Promise<Extract<WorkloadApiUpdate<X509Context>, { kind: "failure" }>>;
}

export async function start(options: Partial<WorkloadApiOptions> = {}): Promise<WorkloadApiServer> {
  const server = await startWorkloadApi({ authority, ...options });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

export function clientOf(
  server: WorkloadApiServer,
  options: WorkloadApiClientOptions = {},
): WorkloadApiClient {
  return createWorkloadApiClient({ address: server.address, ...options });
}

export function watch(client: WorkloadApiClient): Watch {
  const stop = new AbortController();
  const updates = client.watchX509Context(stop.signal);
  onTestFinished(() => stop.abort());
  const next: Watch["next"] = async () => {
    const { value } = await within(10_000, updates.next());
    return value as WorkloadApiUpdate<X509Context>;
  };
  return {
    next,
    value: async () => {
      const update = await next();
      if (update.kind === "value") return update.value;
      throw update.error;
    },
    failure: async () => {
      const update = await next();
      if (update.kind === "failure") return update;
      throw new Error("a value");
    },
  };
}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function errorOf(promise: Promise<unknown>): Promise<SpiffeError> {
  return promise.then(
    () => {
      throw new Error("it was fulfilled");
    },
    (error: SpiffeError) => error,
  );
}

export const ids = ({ svids }: X509Context): string[] => svids.map(({ id }) => `${id}`);
