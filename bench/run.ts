// Runs the benches named, or all:  node --import tsx bench/run.ts [--quick] [name...]
import { setMaxListeners } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";
import { followers } from "./followers.ts";
import { handshakes } from "./handshakes.ts";
import { helper } from "./helper.ts";
import { informer } from "./informer.ts";
import { createGenerator } from "./load/generator.ts";
import { describeMachine } from "./machine.ts";
import { profile } from "./profile.ts";
import { formatResult } from "./report.ts";
import { sds } from "./sds.ts";
import { soak } from "./soak.ts";
import { spiffe } from "./spiffe.ts";
import { swap } from "./swap.ts";
import { x509 } from "./x509.ts";

const benches: readonly Bench[] = [
  swap,
  handshakes,
  soak,
  helper,
  x509,
  spiffe,
  sds,
  informer,
  followers,
  profile,
];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false } },
  });
  const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0) {
    console.error(`no bench ${unknown.join(", ")}; there are ${benches.map(({ name }) => name).join(", ")}`);
    process.exitCode = 2;
    return;
  }
  const results = join(import.meta.dirname, "results");
  mkdirSync(results, { recursive: true });
  const home = mkdtempSync(join(tmpdir(), "newleaf-bench-"));
  process.once("exit", () => rmSync(home, { recursive: true, force: true }));
  const generator = await createGenerator(home);
  for (const { name, run } of benches) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const machine = describeMachine();
    const benchHome = join(home, name);
    mkdirSync(benchHome);
    const result = await run({
      quick: values.quick,
      home: benchHome,
      generator,
      log: (line) => console.error(line),
    });
    console.log(formatResult(name, result));
    const document = { name, at: new Date(), quick: values.quick, machine, ...result };
    writeFileSync(join(results, `${name}.json`), `${JSON.stringify(document, null, 2)}\n`);
  }
}

// Each process that is started has a listener, to be killed on the way out.
setMaxListeners(64, process);

// Whoever is still running is killed on the way out.
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

await main();
