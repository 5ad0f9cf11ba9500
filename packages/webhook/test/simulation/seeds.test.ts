import { expect, test } from "vitest";
import { describeFailures, runSeeds } from "./run-seeds.ts";
import { simulate } from "./simulation.ts";

// SEED=123 replays one; NEWLEAF_SEEDS=10000 runs as many.
const { SEED, NEWLEAF_SEEDS = "150" } = process.env;
const first = Number(SEED ?? 1);
const count = SEED === undefined ? Number(NEWLEAF_SEEDS) : 1;

test(`from seed ${first}, ${count}: no admission is refused, no two leaders write, all comes to rest`, async () => {
  const run = await runSeeds(first, count);
  expect(describeFailures(run)).toBe("");
  expect(run.seeds).toBe(count);
  if (count < 100) return;
  // They met what they are for: more certificates and trusts than first issues, and leaders that wrote too late.
  expect(run.stats.leaves).toBeGreaterThan(3 * count);
  expect(run.stats.trusts).toBeGreaterThan(3 * count);
  expect(run.stats.late).toBeGreaterThan(0);
}, 7_200_000);

test("a seed replays exactly", async () => {
  const [one, other] = [await simulate(first), await simulate(first)];
  expect(other.trace.hash).toBe(one.trace.hash);
  expect(other.trace.length).toBe(one.trace.length);
  const another = await simulate(first + 1);
  expect(another.trace.hash).not.toBe(one.trace.hash);
});
