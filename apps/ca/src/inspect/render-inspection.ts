import type { Style } from "@newleaf/daemon";
import { renderFields, renderTable } from "../render-fields.ts";
import type { Analysis, InspectedFile } from "./analysis.ts";
import { describeItem, type Field, summarizeCertificate } from "./describe-item.ts";
import type { Finding, Severity } from "./finding.ts";
import type { CertificateItem, Item } from "./item.ts";
import type { Relations } from "./relations.ts";

/** More certificates than this in one file are listed, one line each. */
const detailed = 6;

/** The analysis for a terminal: each file with its items, then what about them will break. */
export function renderInspection(analysis: Analysis, style: Style, now: Date): string {
  const width = Math.max(
    0,
    ...analysis.files
      .flatMap(({ items }) => items)
      .flatMap((item) => describeItem(item, analysis.relations, now).map(([label]) => label.length)),
  );
  const files = analysis.files
    .filter(({ items }) => items.length > 0)
    .map((file) => renderFile(file, analysis, { style, now, width }));
  const parts = files.length === 0 ? ["no certificates, keys, requests or revocation lists\n"] : files;
  return [...parts, renderFindings(analysis.findings, style)].join("\n");
}

interface View {
  readonly style: Style;
  readonly now: Date;
  /** Of the labels, the same in all files. */
  readonly width: number;
}

function renderFile({ input, items }: InspectedFile, { relations }: Analysis, view: View): string {
  const certificates = items.filter((item): item is CertificateItem => item.kind === "certificate");
  const listed = certificates.length > detailed;
  const shown = items.filter((item) => !(listed && item.kind === "certificate"));
  const title = view.style.bold(input.path === "-" ? "standard input" : input.path);
  const blocks = shown.map((item) => renderItem(item, relations, view));
  if (listed) blocks.unshift(renderList(certificates, view));
  return `${title}\n${blocks.join("\n")}`;
}

function renderItem(item: Item, relations: Relations, { style, now, width }: View): string {
  const paint = item.kind === "unreadable" ? style.red : style.cyan;
  const [first, ...rest] = describeItem(item, relations, now);
  const title: readonly Field[] = first === undefined ? [] : [[first[0], paint(first[1] ?? "")]];
  return renderFields([...title, ...rest], style, width);
}

function renderList(items: readonly CertificateItem[], { style, now }: View): string {
  const rows = items.map((item) => summarizeCertificate(item, now));
  return renderTable(["", `${items.length} certificates`], rows, style).replaceAll(/^(?=.)/gm, "  ");
}

function renderFindings(findings: readonly Finding[], style: Style): string {
  if (findings.length === 0) return `${style.green("nothing to warn of")}\n`;
  const paint: Readonly<Record<Severity, (text: string) => string>> = {
    error: style.red,
    warning: style.yellow,
    note: style.dim,
  };
  const lines = findings.map(({ severity, path, message, hint }) => {
    const label = paint[severity](severity.padEnd(7));
    const advice = hint === undefined ? "" : `${" ".repeat(9)}${style.dim(hint)}\n`;
    return `${label}  ${path}: ${message}\n${advice}`;
  });
  return lines.join("");
}
