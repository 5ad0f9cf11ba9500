import type { AdminRoute, Health, Logger, Metrics } from "@newleaf/daemon";
import {
  type Clock,
  type IdentitySource,
  type Rotation,
  type RotationRecord,
  systemClock,
} from "@newleaf/rotation";
import { checkIdentity } from "./identity-check.ts";
import { logRecord } from "./log-record.ts";
import { createRotationMetrics } from "./rotation-metrics.ts";
import { rotationsDocument } from "./rotations-document.ts";

/** Open connections by the generation they were opened with. */
export type ConnectionsByGeneration = ReadonlyMap<number, number>;

export interface ObserveOptions {
  readonly rotation: Rotation;
  readonly source: IdentitySource;
  readonly metrics: Metrics;
  readonly health: Health;
  /** One line for each record. Leave it out when the rotation itself was given a logger: it says the same. */
  readonly logger?: Logger;
  /** Asked on every scrape and every `/rotations`. */
  readonly connections?: () => ConnectionsByGeneration;
  readonly clock?: Clock;
}

/** Everything one rotation shows of itself, until disposed. */
export interface Observation extends AsyncDisposable {
  /** For the admin server. */
  readonly routes: Readonly<Record<"/rotations", AdminRoute>>;
  /** Counts a refused peer. */
  countRejection(rejection: { readonly code: string }): void;
}

/**
 * Makes a rotation visible: metrics and a readiness check named `identity` are registered, `/rotations` is
 * returned as a route, and each record is logged. Call it once for each registry. Neither rotation nor source
 * is disposed with it.
 */
export function observeRotation(options: ObserveOptions): Observation {
  const { rotation, source, health, logger, connections, clock = systemClock } = options;
  const metrics = createRotationMetrics(options.metrics, { rotation, source, connections });
  const check = health.addReadiness("identity", () => checkIdentity(rotation, source, new Date(clock.now())));
  const stop = new AbortController();

  const take = (record: RotationRecord) => {
    metrics.count(record);
    if (logger !== undefined) logRecord(logger, record);
  };
  // What ended before anybody could listen is taken too; both happen in one turn, so nothing is taken twice.
  const live = rotation.records(stop.signal);
  for (const record of rotation.recent()) if (record.outcome !== "running") take(record);
  const following = (async () => {
    for await (const record of live) take(record);
  })();

  return {
    routes: {
      "/rotations": (url) =>
        rotationsDocument(url, { rotation, source, connections, now: new Date(clock.now()) }),
    },
    countRejection: ({ code }) => metrics.countRejection(code),
    async [Symbol.asyncDispose]() {
      check[Symbol.dispose]();
      stop.abort();
      await following;
    },
  };
}
