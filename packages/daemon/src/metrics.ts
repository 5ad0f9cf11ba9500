import type {
  Counter,
  CounterConfiguration,
  Gauge,
  GaugeConfiguration,
  Histogram,
  HistogramConfiguration,
} from "prom-client";

export type { Counter, Gauge, Histogram } from "prom-client";

/** The metrics of one program: a registry of its own, never prom-client's global one. */
export interface Metrics {
  counter<L extends string = never>(options: Omit<CounterConfiguration<L>, "registers">): Counter<L>;
  gauge<L extends string = never>(options: Omit<GaugeConfiguration<L>, "registers">): Gauge<L>;
  histogram<L extends string = never>(options: Omit<HistogramConfiguration<L>, "registers">): Histogram<L>;
  readonly contentType: string;
  /** The Prometheus text exposition. */
  render(): Promise<string>;
}

/** Creates an empty registry; with `process: true` also Node's process and runtime metrics. */
export async function createMetrics(options: { process?: boolean } = {}): Promise<Metrics> {
  // Imported on first use: it costs every short command 40 ms otherwise.
  const { default: prometheus } = await import("prom-client");
  const registry = new prometheus.Registry();
  const registers = [registry];
  if (options.process === true) prometheus.collectDefaultMetrics({ register: registry });
  return {
    counter: (configuration) => new prometheus.Counter({ ...configuration, registers }),
    gauge: (configuration) => new prometheus.Gauge({ ...configuration, registers }),
    histogram: (configuration) => new prometheus.Histogram({ ...configuration, registers }),
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}
