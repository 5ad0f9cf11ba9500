// What `import` of each specifier costs from the current directory: `node import-cost.mjs LIMIT_MS SPECIFIER...`.
// CPU time of a process that imports it, less that of one that imports nothing. The median is what was measured; the
// minimum, which other work on the machine disturbs least, is held against the limit.
import { spawnSync } from "node:child_process";

const [limit, ...specifiers] = process.argv.slice(2);
const SPAWNS = 11;
const cases = ["", ...specifiers];
const samples = new Map(cases.map((specifier) => [specifier, []]));
// One of each in turn, so that all meet the same weather.
for (let round = 0; round < SPAWNS; round++) {
  for (const specifier of cases) samples.get(specifier).push(cpuMsOf(specifier));
}
const [idle, idleMinimum] = figures("");
for (const specifier of specifiers) {
  const [median, minimum] = figures(specifier);
  const [cost, least] = [median - idle, minimum - idleMinimum];
  console.log(
    `${process.version}  ${specifier.padEnd(24)} ${cost.toFixed(0).padStart(3)} ms (at least ${least.toFixed(0)} ms)`,
  );
  if (least > Number(limit)) process.exitCode = 1;
}

function cpuMsOf(specifier) {
  const statement = specifier ? `import ${JSON.stringify(specifier)};` : "";
  const program = `${statement}const { user, system } = process.cpuUsage(); console.log((user + system) / 1000)`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}

function figures(specifier) {
  const sorted = samples.get(specifier).toSorted((a, b) => a - b);
  return [sorted[Math.floor(SPAWNS / 2)], sorted[0]];
}
