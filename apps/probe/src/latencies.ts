/** Latency percentiles over any number of requests in bounded memory. */
export interface Latencies {
  add(ms: number): void;
  /** The value that `fraction` of the requests did not exceed, `undefined` before the first. */
  percentile(fraction: number): number | undefined;
  readonly max: number | undefined;
}

const SAMPLE = 10_000;

/** Exact up to 10,000 values, then a uniform random sample of that size (Vitter's algorithm R). */
export function createLatencies(random: () => number = Math.random): Latencies {
  const sample: number[] = [];
  let count = 0;
  let max: number | undefined;
  return {
    add(ms) {
      count += 1;
      max = Math.max(max ?? ms, ms);
      if (sample.length < SAMPLE) sample.push(ms);
      else {
        const index = Math.floor(random() * count);
        if (index < SAMPLE) sample[index] = ms;
      }
    },
    percentile(fraction) {
      const sorted = sample.toSorted((a, b) => a - b);
      return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))];
    },
    get max() {
      return max;
    },
  };
}
