import { type SimulationResult, simulate } from "./simulation.ts";

export interface SeedRun {
  readonly seeds: number;
  readonly failures: readonly SimulationResult[];
  /** Summed over all seeds. */
  readonly stats: Readonly<Record<string, number>>;
}

/** After so many nobody reads on. */
const MOST_FAILURES = 5;

/** Simulates `count` seeds from `first` on, one after the other. */
export async function runSeeds(first: number, count: number): Promise<SeedRun> {
  const failures: SimulationResult[] = [];
  const stats: Record<string, number> = {};
  let seeds = 0;
  while (seeds < count && failures.length < MOST_FAILURES) {
    const result = await simulate(first + seeds);
    seeds += 1;
    if (result.violations.length > 0) failures.push(result);
    for (const [name, value] of Object.entries(result.stats)) stats[name] = (stats[name] ?? 0) + value;
  }
  return { seeds, failures, stats };
}

/** What failed, how to see it again, and what happened before it. */
export function describeFailures({ failures }: SeedRun): string {
  const [first] = failures;
  if (!first) return "";
  const { violations, trace } = first;
  const lines = trace.last(100_000);
  const at = lines.findIndex((line) => line.includes(" ! "));
  return [
    ...failures.map(({ seed, violations: of }) => `seed ${seed}: ${of[0]}`),
    "",
    `SEED=${first.seed} npx vitest run packages/webhook/test/simulation`,
    "",
    ...(at < 0 ? lines.slice(-80) : lines.slice(Math.max(0, at - 80), at + 1)),
    "",
    ...violations,
  ].join("\n");
}
