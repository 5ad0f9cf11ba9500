import type { Style } from "@newleaf/daemon";
import type { DemoResult, DemoTally } from "./demo-result.ts";

/** A row of the table: what, and how it came out. */
export type ResultRow = readonly [label: string, value: string];

/** The table at the end of `newleaf demo`, for people. */
export function renderResult(result: DemoResult, style: Style): string {
  const { failedAfterMs, reason } = result.legacy;
  const legacy =
    failedAfterMs === null
      ? result.interrupted
        ? "had not failed yet"
        : style.red("never failed")
      : `failed after ${(failedAfterMs / 1000).toFixed(1)} s: ${reason}`;
  return renderTable(result, style, {
    above: [["CA rollovers", String(result.caRollovers)]],
    below: [["legacy application", legacy]],
  });
}

/** The table of any demo; `above` follows its rotations, `below` the peers that were refused, `lag` names the way. */
export function renderTable(
  tally: DemoTally,
  style: Style,
  own: {
    readonly above?: readonly ResultRow[];
    readonly below?: readonly ResultRow[];
    readonly lag?: string;
  } = {},
): string {
  const failures = (count: number): string => (count === 0 ? style.green("0") : style.red(String(count)));
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const { servedLagMs: lag } = tally;
  const rows: readonly ResultRow[] = [
    ["rotations", `${tally.rotations}, each proved by a handshake that showed the new leaf`],
    ...(own.above ?? []),
    [own.lag ?? "swap to served", `p50 ${ms(lag.p50)}, p99 ${ms(lag.p99)}, max ${ms(lag.max)}`],
    ["connections drained", String(tally.drained)],
    ["requests", `${tally.requests}, failures ${failures(tally.failures)}`],
    ...Object.entries(tally.clients).map(
      ([name, client]): ResultRow => [
        `  ${name}`,
        `${String(client.requests).padStart(6)}  failures ${failures(client.failures)}`,
      ],
    ),
    ["refused", ""],
    ...Object.entries(tally.refused).map(
      ([code, count]): ResultRow => [`  ${code}`, String(count).padStart(6)],
    ),
    ...(own.below ?? []),
  ];
  return [
    "",
    tally.interrupted ? style.yellow("Interrupted; the result so far") : style.bold("Result"),
    ...rows.map(([label, value]) => `${label.padEnd(22)}${value}`),
    ...tally.problems.map((problem) => style.red(`problem: ${problem}`)),
    "",
  ].join("\n");
}
