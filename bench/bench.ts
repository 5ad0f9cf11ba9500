import type { Generator } from "./load/generator.ts";

export interface BenchContext {
  /** A fraction of the samples, to see whether a bench works; its figures mean little. */
  readonly quick: boolean;
  /** An empty folder, removed afterwards. */
  readonly home: string;
  readonly generator: Generator;
  readonly log: (line: string) => void;
}

export interface Table {
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

export interface Target {
  readonly what: string;
  readonly wanted: string;
  readonly measured: string;
  readonly met: boolean;
}

export interface BenchResult {
  readonly method: string;
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
  /** What the tables were made of, for whoever wants other quantiles. */
  readonly samples?: Readonly<Record<string, readonly number[]>>;
  /** One line for each component that is not there. */
  readonly absent: readonly string[];
}

export interface Bench {
  readonly name: string;
  readonly run: (context: BenchContext) => Promise<BenchResult>;
}
