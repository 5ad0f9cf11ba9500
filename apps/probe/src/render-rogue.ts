import type { Style } from "@newleaf/daemon";
import type { RogueReport, RogueVerdict } from "./rogue.ts";
import { renderTable } from "./table.ts";

const WORDS: Readonly<Record<RogueVerdict, string>> = {
  refused: "refused",
  let_in: "LET IN",
  served: "served",
  failed: "FAILED",
  unreachable: "UNREACHABLE",
  skipped: "skipped",
};

/** The refusal matrix as a table, and one line that says what it means. */
export function renderRogue(report: RogueReport, style: Style): string {
  const rows = report.results.map(({ row, verdict, seen, description }) => [
    row,
    WORDS[verdict],
    seen,
    description,
  ]);
  const table = renderTable([["try", "verdict", "seen", "what"], ...rows], (text, row, column) => {
    if (row === 0) return style.bold(text);
    return column === 1 ? colour(report.results[row - 1]?.verdict ?? "skipped", style)(text) : text;
  });
  return `${table}\n${conclusion(report)}`;
}

function colour(verdict: RogueVerdict, style: Style): (text: string) => string {
  if (verdict === "refused" || verdict === "served") return style.green;
  return verdict === "skipped" ? style.dim : style.red;
}

function conclusion({ results }: RogueReport): string {
  const rows = (verdict: RogueVerdict): string[] =>
    results.filter((result) => result.verdict === verdict).map(({ row }) => row);
  const parts = [`${rows("refused").length} refused`];
  if (rows("let_in").length > 0) parts.push(`LET IN: ${rows("let_in").join(", ")}`);
  if (rows("failed").length > 0) parts.push("our own certificate was not served, so a refusal proves little");
  if (rows("unreachable").length > 0) parts.push(`not reached: ${rows("unreachable").join(", ")}`);
  if (rows("skipped").length > 0) parts.push(`${rows("skipped").length} skipped`);
  return parts.join("; ");
}
