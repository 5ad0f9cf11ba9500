/** Rows under each other in columns as wide as their widest cell; `paint` colours a cell after it was measured. */
export function renderTable(
  rows: readonly (readonly string[])[],
  paint: (text: string, row: number, column: number) => string = (text) => text,
): string {
  const widths = (rows[0] ?? []).map((_cell, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row, index) =>
      row
        .map((cell, column) => {
          const padding = column === row.length - 1 ? "" : " ".repeat((widths[column] ?? 0) - cell.length);
          return paint(cell, index, column) + padding;
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
