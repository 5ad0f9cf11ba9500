import type { Style } from "@newleaf/daemon";
import type { DemoResult } from "./demo-result.ts";

/** The table at the end, for people. */
export function renderResult(result: DemoResult, style: Style): string {
  const failures = (count: number): string => (count === 0 ? style.green("0") : style.red(String(count)));
  const row = (label: string, value: string): string => `${label.padEnd(22)}${value}`;
  const { servedLagMs: lag, legacy } = result;
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const legacyLine =
    legacy.failedAfterMs === null
      ? style.red("never failed")
      : `failed after ${(legacy.failedAfterMs / 1000).toFixed(1)} s: ${legacy.reason}`;
  return [
    "",
    style.bold("Result"),
    row("rotations", `${result.rotations}, each proved by a handshake that showed the new leaf`),
    row("CA rollovers", String(result.caRollovers)),
    row("swap to served", `p50 ${ms(lag.p50)}, p99 ${ms(lag.p99)}, max ${ms(lag.max)}`),
    row("connections drained", String(result.drained)),
    row("requests", `${result.requests}, failures ${failures(result.failures)}`),
    ...Object.entries(result.clients).map(([name, tally]) =>
      row(`  ${name}`, `${String(tally.requests).padStart(6)}  failures ${failures(tally.failures)}`),
    ),
    row("refused", ""),
    ...Object.entries(result.refused).map(([code, count]) => row(`  ${code}`, String(count).padStart(6))),
    row("legacy application", legacyLine),
    ...result.problems.map((problem) => style.red(`problem: ${problem}`)),
    "",
  ].join("\n");
}
