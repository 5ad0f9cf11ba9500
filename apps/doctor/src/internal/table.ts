/** Rows under each other in columns as wide as their widest cell; `paint` colours a cell after it was measured. */
export function renderTable(
  rows: readonly (readonly string[])[],
  paint: (text: string, row: number, column: number) => string,
): string {
  const widths = (rows[0] ?? []).map((_cell, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[], index: number): string =>
    row
      .map((cell, column) => paint(cell, index, column) + " ".repeat((widths[column] ?? 0) - cell.length))
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}
