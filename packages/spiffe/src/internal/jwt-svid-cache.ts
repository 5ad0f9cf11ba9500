import type { Clock } from "@newleaf/rotation";
import { SpiffeError } from "../error.ts";
import type { JwtSvid } from "../jwt-svid.ts";
import { retryDelayMs } from "./retry-delay.ts";

/** JWT-SVIDs by what they were asked for, renewed when half of their life is over. */
export interface JwtSvidCache {
  /**
   * One that is valid, without a wait where there is one. Past half of its life it is still answered while another
   * is fetched in the background. Rejects like `fetch` when there is none.
   */
  get(key: string, fetch: () => Promise<JwtSvid>): Promise<JwtSvid>;
  /** One with more than half of its life before it. */
  fresh(key: string, fetch: () => Promise<JwtSvid>): Promise<JwtSvid>;
  clear(): void;
}

interface Entry {
  svid: JwtSvid | undefined;
  renewAt: number;
  fetching: Promise<JwtSvid> | undefined;
  failures: number;
  retryAt: number;
}

/** What is used again is kept; beyond `capacity` the one that was used longest ago is dropped. */
export function createJwtSvidCache(clock: Clock, capacity: number): JwtSvidCache {
  const entries = new Map<string, Entry>();

  const entryOf = (key: string): Entry => {
    const entry = entries.get(key) ?? {
      svid: undefined,
      renewAt: 0,
      fetching: undefined,
      failures: 0,
      retryAt: 0,
    };
    entries.delete(key);
    entries.set(key, entry);
    const [oldest] = entries.keys();
    if (entries.size > capacity && oldest !== undefined) entries.delete(oldest);
    return entry;
  };

  const renew = (entry: Entry, fetch: () => Promise<JwtSvid>): Promise<JwtSvid> => {
    entry.fetching ??= fetch()
      .then((svid) => {
        entry.svid = svid;
        entry.renewAt = renewAt(svid, clock.now());
        entry.failures = 0;
        return svid;
      })
      .catch((error: unknown) => {
        // Taken away, not only out of reach (SPIFFE Workload API section 6.2.1).
        if (error instanceof SpiffeError && error.code === "ERR_SPIFFE_PERMISSION_DENIED")
          entry.svid = undefined;
        entry.failures += 1;
        entry.retryAt = clock.now() + retryDelayMs(entry.failures);
        throw error;
      })
      .finally(() => {
        entry.fetching = undefined;
      });
    return entry.fetching;
  };

  return {
    get: async (key, fetch) => {
      const entry = entryOf(key);
      const now = clock.now();
      const { svid } = entry;
      if (!svid || now >= svid.expiresAt.getTime()) return renew(entry, fetch);
      if (now >= entry.renewAt && now >= entry.retryAt) renew(entry, fetch).catch(() => {});
      return svid;
    },
    fresh: async (key, fetch) => {
      const entry = entryOf(key);
      return entry.svid && clock.now() < entry.renewAt ? entry.svid : renew(entry, fetch);
    },
    clear: () => entries.clear(),
  };
}

/**
 * When a token is to be replaced: half-way from its issue, or its arrival, to its end. One that comes late, as agents
 * have caches too, is asked for again after a tenth of what is left.
 */
export function renewAt({ issuedAt, expiresAt }: JwtSvid, now: number): number {
  const end = expiresAt.getTime();
  const from = Math.min(issuedAt?.getTime() ?? now, now);
  return Math.max(from + (end - from) / 2, now + (end - now) / 10, now + SHORTEST_WAIT_MS);
}

const SHORTEST_WAIT_MS = 1_000;
