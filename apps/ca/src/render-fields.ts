import { stripVTControlCharacters } from "node:util";
import type { Style } from "@newleaf/daemon";

/** Lines of aligned `label  value`; further lines of a value are indented to its column. */
export function renderFields(
  fields: readonly (readonly [label: string, value: string | undefined])[],
  style: Style,
  minimumWidth = 0,
): string {
  const indent = "  ";
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const width = Math.max(minimumWidth, ...shown.map(([label]) => label.length));
  const pad = `\n${indent}${" ".repeat(width + 2)}`;
  return shown
    .map(([label, value]) => `${indent}${style.dim(label.padEnd(width))}  ${value.replaceAll("\n", pad)}\n`)
    .join("");
}

/** Rows under dim headings, columns as wide as their widest cell. */
export function renderTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  style: Style,
): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => visibleLength(row[column] ?? ""))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - visibleLength(cell))))
      .join("  ")
      .trimEnd();
  return [headings.map((heading) => heading.toUpperCase()), ...rows]
    .map((row, index) => `${index === 0 ? style.dim(line(row)) : line(row)}\n`)
    .join("");
}

function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length;
}
