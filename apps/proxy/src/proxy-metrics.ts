import type { Metrics } from "@newleaf/daemon";

/** What a proxy counts beside its rotations. */
export interface ProxyMetrics {
  targetFailed(reason: string): void;
}

export function createProxyMetrics(metrics: Metrics, connections: () => number): ProxyMetrics {
  metrics.gauge({
    name: "newleaf_proxy_connections",
    help: "Open connections of clients",
    collect() {
      this.set(connections());
    },
  });
  const failures = metrics.counter({
    name: "newleaf_proxy_target_failures_total",
    help: "Requests and connections that failed because of the target, by reason",
    labelNames: ["reason"],
  });
  return { targetFailed: (reason) => failures.inc({ reason }) };
}
