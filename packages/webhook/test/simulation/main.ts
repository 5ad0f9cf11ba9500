// Seeds from FIRST on in a process of its own:  node --import tsx main.ts FIRST COUNT
// Ends with 1 and says what failed, or with 0 and one line of JSON.
import { describeFailures, runSeeds } from "./run-seeds.ts";

const [first = 1, count = 1] = process.argv.slice(2).map(Number);
const run = await runSeeds(first, count);
process.stdout.write(`${describeFailures(run) || JSON.stringify({ seeds: run.seeds, ...run.stats })}\n`);
process.exitCode = run.failures.length > 0 ? 1 : 0;
