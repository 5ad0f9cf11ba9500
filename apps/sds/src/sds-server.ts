import type { Duplex } from "node:stream";
import { type CheckResult, type Clock, type Logger, type Metrics, systemClock } from "@newleaf/daemon";
import { createDistrust, type Distrust } from "./distrust.ts";
import { createGrpcServer } from "./grpc-server.ts";
import { createSdsMetrics, uncounted } from "./sds-metrics.ts";
import { checkSubscribers } from "./sds-report.ts";
import { createSdsService, type SdsLimits } from "./sds-service.ts";
import { createSecretStore, type SecretStore } from "./secret-store.ts";
import { createSubscribers, type Subscribers } from "./subscribers.ts";

export interface SdsServerOptions {
  readonly limits: SdsLimits;
  readonly keepaliveMs: number;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** A client has had secrets of these names before, and there are none now. */
  readonly onOrphans?: (names: readonly string[]) => void;
}

/** Secrets, and those who ask for them over connections that are handed in. Disposal ends all streams. */
export interface SdsServer extends AsyncDisposable {
  readonly store: SecretStore;
  readonly subscribers: Subscribers;
  readonly distrust: Distrust;
  accept(connection: Duplex): void;
  check(): CheckResult;
}

export function createSdsServer(options: SdsServerOptions): SdsServer {
  const { limits, keepaliveMs, logger, metrics, clock = systemClock, onOrphans = () => {} } = options;
  const store = createSecretStore();
  const subscribers = createSubscribers(store);
  const counts = metrics ? createSdsMetrics(metrics, { store, subscribers }) : uncounted;
  const service = createSdsService({ store, subscribers, limits, counts, logger, onOrphans });
  const grpc = createGrpcServer(service, { keepaliveMs });
  return {
    store,
    subscribers,
    distrust: createDistrust(() => clock.now()),
    accept: (connection) => grpc.accept(connection),
    check: () => checkSubscribers(subscribers, store),
    [Symbol.asyncDispose]: () => grpc[Symbol.asyncDispose](),
  };
}
