import { type Clock, systemClock } from "@newleaf/rotation";
import { SpiffeError } from "./error.ts";
import { delay } from "./internal/delay.ts";
import { followValue } from "./internal/followed-value.ts";
import { createJwtSvidCache, renewAt } from "./internal/jwt-svid-cache.ts";
import { retryDelayMs } from "./internal/retry-delay.ts";
import type { WorkloadApiUpdate } from "./internal/workload-stream.ts";
import type { JwtBundles } from "./jwt-bundle.ts";
import type { JwtSvid } from "./jwt-svid.ts";
import { type JwtSvidVerdict, verifyJwtSvid } from "./verify-jwt-svid.ts";
import {
  createWorkloadApiClient,
  type JwtSvidRequest,
  type WorkloadApiClient,
  type WorkloadApiClientOptions,
} from "./workload-api-client.ts";
import { attemptEnd } from "./workload-failure.ts";
import type { WorkloadApiStatus } from "./workload-status.ts";

export interface WatchJwtOptions extends WorkloadApiClientOptions {
  /** Instead of an address and limits. */
  readonly client?: Pick<WorkloadApiClient, "watchJwtBundles" | "fetchJwtSvids">;
  /** Among several JWT-SVIDs the one with this hint. Default: the first. */
  readonly hint?: string;
  /** Tokens that are kept, by audience and ID. Default 256. */
  readonly cacheSize?: number;
  /** How long the bundles stay in use once the Workload API denies them. Default 30 s. */
  readonly graceMs?: number;
  /** How long to wait for the first bundles. Default 60 s. */
  readonly waitMs?: number;
  /** Ends the wait for the first bundles; afterwards only disposal ends the source. */
  readonly signal?: AbortSignal;
}

/** JWT-SVIDs to show to others, and the bundles to verify those of others. Disposal is awaited. */
export interface JwtSource extends AsyncDisposable {
  /**
   * A JWT-SVID for the audience: the one at hand while it is valid, renewed in the background from half of its life on.
   * Rejects when there is none and none can be fetched, or with the signal.
   */
  svid(request: JwtSvidRequest): Promise<JwtSvid>;
  /**
   * JWT-SVIDs for the audience, a new one each time that half of the last one's life is over, and the failures to
   * fetch one, after which it is tried again. For who keeps a token somewhere, such as in a file.
   */
  watchSvid(request: JwtSvidRequest): AsyncIterableIterator<WorkloadApiUpdate<JwtSvid>>;
  /** By trust domain name. Empty once they were taken away: nobody is trusted. */
  bundles(): JwtBundles;
  watchBundles(signal?: AbortSignal): AsyncIterableIterator<JwtBundles>;
  /** Verifies what a peer has sent, here and now, without asking the Workload API. */
  verify(token: string, options: { readonly audience: string | readonly string[] }): Promise<JwtSvidVerdict>;
  workloadApi(): WorkloadApiStatus;
  /** Connects anew; resolves when the outcome has been taken in. */
  reload(): Promise<void>;
}

/** Follows the JWT bundles, and fetches JWT-SVIDs when they are asked for. Resolves with the first bundles. */
export async function watchJwt(options: WatchJwtOptions): Promise<JwtSource> {
  const { clock = systemClock, hint } = options;
  const client = options.client ?? createWorkloadApiClient(options);
  const cache = createJwtSvidCache(clock, options.cacheSize ?? 256);
  const bundles = await followValue<JwtBundles>({
    ...options,
    what: "JWT bundles",
    nothing: new Map(),
    lapsed: () => cache.clear(),
    watch: (signal) => client.watchJwtBundles(signal),
  });
  const closing = new AbortController();
  const keyOf = ({ audience, id }: JwtSvidRequest): string =>
    JSON.stringify([`${id ?? ""}`, [audience].flat().sort()]);
  const fetcher =
    ({ audience, id }: JwtSvidRequest) =>
    async (): Promise<JwtSvid> => {
      const svids = await client.fetchJwtSvids({ audience, ...(id && { id }), signal: closing.signal });
      const svid = hint === undefined ? svids[0] : svids.find((candidate) => candidate.hint === hint);
      if (svid) return svid;
      const wanted = hint === undefined ? "JWT-SVID" : `JWT-SVID with the hint ${JSON.stringify(hint)}`;
      throw new SpiffeError("ERR_SPIFFE_NO_SVID", `the Workload API has no ${wanted}`);
    };
  const checkOpen = (): void => {
    if (closing.signal.aborted) throw new SpiffeError("ERR_SPIFFE_CLOSED", "the JWT source is closed");
  };
  return {
    svid: async (request) => {
      checkOpen();
      return unlessAborted(cache.get(keyOf(request), fetcher(request)), request.signal);
    },
    watchSvid: (request) => {
      checkOpen();
      const fetch = (): Promise<JwtSvid> => cache.fresh(keyOf(request), fetcher(request));
      return keepSvid(fetch, clock, [closing.signal, ...(request.signal ? [request.signal] : [])]);
    },
    bundles: bundles.current,
    watchBundles: bundles.watch,
    verify: (token, { audience }) =>
      verifyJwtSvid(token, bundles.current(), { audience, now: new Date(clock.now()) }),
    workloadApi: bundles.workloadApi,
    reload: bundles.reload,
    [Symbol.asyncDispose]: async () => {
      closing.abort(new SpiffeError("ERR_SPIFFE_CLOSED", "the JWT source is closed"));
      await bundles.close();
    },
  };
}

async function* keepSvid(
  fetch: () => Promise<JwtSvid>,
  clock: Clock,
  signals: readonly AbortSignal[],
): AsyncGenerator<WorkloadApiUpdate<JwtSvid>, void> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  for (const signal of signals) signal.addEventListener("abort", abort, { once: true });
  if (signals.some(({ aborted }) => aborted)) abort();
  let failures = 0;
  let known: string | undefined;
  try {
    while (!stop.signal.aborted) {
      let waitMs: number;
      try {
        const svid = await unlessAborted(fetch(), stop.signal);
        failures = 0;
        waitMs = renewAt(svid, clock.now()) - clock.now();
        if (svid.token !== known) {
          known = svid.token;
          yield { kind: "value", value: svid, receivedAt: new Date(clock.now()) };
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        const failure = failureOf(error);
        failures += 1;
        waitMs = retryDelayMs(failures);
        yield { kind: "failure", ...failure, retryInMs: waitMs };
      }
      await delay(clock, waitMs, stop.signal);
    }
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", abort);
  }
}

// The client says ERR_SPIFFE_WORKLOAD_API of a call that it is no use to repeat.
function failureOf(error: unknown): Pick<ReturnType<typeof attemptEnd>, "reason" | "error"> {
  const { reason, error: spiffeError } = attemptEnd(error);
  switch (spiffeError.code) {
    case "ERR_SPIFFE_WORKLOAD_API":
      throw spiffeError;
    case "ERR_SPIFFE_PERMISSION_DENIED":
    case "ERR_SPIFFE_NO_SVID":
      return { reason: "permission_denied", error: spiffeError };
    case "ERR_SPIFFE_UNAVAILABLE":
      return { reason: "unavailable", error: spiffeError };
    default:
      return { reason, error: spiffeError };
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
