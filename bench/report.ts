import type { BenchResult, Table } from "./bench.ts";

/** What a person reads on the terminal. */
export function formatResult(name: string, result: BenchResult): string {
  const targets: Table = {
    title: "targets",
    rows: result.targets.map(({ what, wanted, measured, met }) => ({
      target: what,
      wanted,
      measured,
      "": met ? "met" : "MISSED",
    })),
  };
  const tables = [...result.tables, ...(result.targets.length > 0 ? [targets] : [])];
  return [
    `\n== ${name}: ${result.method}`,
    ...tables.map(formatTable),
    ...result.absent.map((line) => `absent: ${line}`),
  ].join("\n");
}

function formatTable({ title, rows }: Table): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => formatCell(row[column])))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return [`\n${title}`, ...lines].join("\n");
}

/** Three significant digits; all digits before the point. */
function formatCell(value: string | number | undefined): string {
  if (typeof value !== "number") return value ?? "";
  if (Number.isNaN(value)) return "-";
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toPrecision(3);
}
