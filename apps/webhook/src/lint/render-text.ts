import type { Style } from "@newleaf/daemon";
import type { ObjectName } from "../policy/finding.ts";
import type { LintFinding, LintReport } from "./lint.ts";

/** The report for a terminal: each finding with its place, its field and what mends it, then one line of counts. */
export function renderText(report: LintReport, style: Style): string {
  return [
    ...report.findings.map((finding) => renderFinding(finding, style)),
    renderSummary(report, style),
  ].join("");
}

/** `Deployment shop/web` */
function formatObject({ kind, namespace, name }: ObjectName): string {
  return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name === "" ? "(no name)" : name}`;
}

export function countOf({ findings }: LintReport, severity: LintFinding["severity"]): number {
  return findings.filter((finding) => finding.severity === severity).length;
}

function renderFinding(finding: LintFinding, style: Style): string {
  const { file, line, column, severity, rule, object, field, message, mend } = finding;
  const paint = severity === "deny" ? style.red : style.yellow;
  const place = style.bold(`${file === "-" ? "<stdin>" : file}:${line}:${column}`);
  return [
    `${place} ${paint(severity)} ${style.cyan(rule)} ${printable(formatObject(object))}`,
    `  ${printable(message)}`,
    `  ${style.dim(`at   ${printable(field)}`)}`,
    `  ${style.dim(`mend ${printable(mend)}`)}`,
    "\n",
  ]
    .join("\n")
    .replace(/\n\n$/, "\n");
}

function renderSummary(report: LintReport, style: Style): string {
  const [denied, warned] = [countOf(report, "deny"), countOf(report, "warn")];
  const looked = `${plural(report.objectCount, "object")} in ${plural(report.fileCount, "file")}`;
  if (denied + warned === 0) return `${style.green("nothing found")}: ${looked}\n`;
  const counts = [
    ...(denied === 0 ? [] : [style.red(`${denied} to deny`)]),
    ...(warned === 0 ? [] : [style.yellow(plural(warned, "warning"))]),
  ];
  return `${counts.join(", ")}: ${looked}\n`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Names come from the manifest: control characters must not reach the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}/gu, "?");
}
