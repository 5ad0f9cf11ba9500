import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startProcess } from "../process.ts";

const main = fileURLToPath(new URL("../../packages/webhook/test/simulation/main.ts", import.meta.url));
// Half an hour for 10,000 on two CPUs, so it runs when it is asked for: NEWLEAF_SEEDS=10000 make e2e ONLY=webhook-simulation
const seeds = Number(process.env.NEWLEAF_SEEDS ?? 0);

test.skipIf(seeds === 0)(
  `${seeds} histories (needs: NEWLEAF_SEEDS) of an elected certificate: no admission refused, no two leaders, all at rest in the end`,
  async () => {
    const processes = availableParallelism();
    const share = Math.ceil(seeds / processes);
    // Not those of the unit tests.
    const firsts = Array.from({ length: processes }, (_, index) => 1_000 + index * share);
    const ends = await Promise.all(
      firsts.map(async (first) => {
        const args = ["--import", "tsx", main, String(first), String(share)];
        await using running = startProcess(process.execPath, args);
        const code = await running.exit(3_600_000);
        return { code, text: running.lines.join("\n") };
      }),
    );
    for (const { code, text } of ends) expect(code, text).toBe(0);
    const done = ends.map(({ text }) => JSON.parse(text) as Readonly<Record<string, number>>);
    const sum = (name: string): number => done.reduce((total, of) => total + (of[name] ?? 0), 0);
    expect(sum("seeds")).toBe(share * processes);
    // Renewals and changes of trust, beside each first issue.
    expect(sum("leaves")).toBeGreaterThan(3 * seeds);
    expect(sum("trusts")).toBeGreaterThan(3 * seeds);
  },
  3_600_000,
);
