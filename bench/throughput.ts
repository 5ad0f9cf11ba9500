import { median } from "./quantile.ts";

/** One way of doing a thing; what it returns is thrown away. */
export interface Way {
  readonly name: string;
  readonly run: () => unknown;
}

const rounds = 7;

/**
 * How often each way can be gone in a second: medians of rounds by turns, after one round to warm up. Promises are
 * awaited one after the other.
 */
export async function throughput(
  ways: readonly Way[],
  roundMs: number,
): Promise<ReadonlyMap<string, number>> {
  const rates = ways.map(() => [] as number[]);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { run }] of ways.entries()) {
      const rate = await measure(run, roundMs);
      if (round > 0) rates[index]?.push(rate);
    }
  }
  return new Map(ways.map(({ name }, index) => [name, median(rates[index] ?? [])]));
}

async function measure(run: () => unknown, roundMs: number): Promise<number> {
  const begin = performance.now();
  let count = 0;
  let elapsed = 0;
  do {
    const result = run();
    if (result instanceof Promise) await result;
    count += 1;
    elapsed = performance.now() - begin;
  } while (elapsed < roundMs);
  return (count * 1000) / elapsed;
}
