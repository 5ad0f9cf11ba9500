import type { Style } from "@newleaf/daemon";
import { type Certificate, formatName } from "@newleaf/x509";
import type { Diagnosis, Report, Row } from "./diagnosis.ts";
import { renderTable } from "./internal/table.ts";
import { nameOf, relative, shortSerial } from "./internal/words.ts";

/** The table, and under it what each finding means and what mends it. */
export function renderReport({ ok, rows, diagnoses }: Report, style: Style, now: Date): string {
  const header = ["target", "verdict", "stored", "served", "expires", "last reload"];
  const cells = rows.map((row) => [
    row.target,
    row.verdict,
    row.stored ? shortSerial(row.stored, row.served) : "-",
    row.served ? shortSerial(row.served, row.stored) : "-",
    row.served ? relative(row.served.notAfter, now) : "-",
    row.lastReload ? relative(row.lastReload, now) : "-",
  ]);
  const table = renderTable([header, ...cells], (text, line, column) => {
    if (line === 0) return style.bold(text);
    if (column !== 1) return text;
    return text === "well" ? style.green(text) : style.red(text);
  });
  const parts = [
    ...(rows.length > 0 ? [table] : []),
    ...diagnoses.map((diagnosis) => paragraph(diagnosis, style)),
    ...(diagnoses.length === 0 && ok ? [style.green("All is well.")] : []),
  ];
  return parts.join("\n\n");
}

function paragraph({ code, subject, severity, message, remedy, command }: Diagnosis, style: Style): string {
  const paint = severity === "wrong" ? style.red : style.yellow;
  return [
    `${paint(code)} ${subject}`,
    `  ${sentence(message)}`,
    ...(remedy === undefined ? [] : [`  ${sentence(remedy)}`]),
    ...(command === undefined ? [] : [`    ${style.bold(command)}`]),
  ].join("\n");
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** The report for `--json`. */
export function reportJson({ ok, rows, diagnoses }: Report): object {
  return { ok, targets: rows.map(rowJson), diagnoses };
}

function rowJson({ target, verdict, stored, served, lastReload }: Row): object {
  return {
    target,
    verdict,
    ...(stored ? { stored: facts(stored) } : {}),
    ...(served ? { served: facts(served) } : {}),
    ...(lastReload ? { lastReload } : {}),
  };
}

function facts(certificate: Certificate): object {
  const { subject, issuer, serialNumber, sha256, notBefore, notAfter } = certificate;
  return {
    identity: nameOf(certificate),
    subject: formatName(subject),
    issuer: formatName(issuer),
    serialNumber,
    sha256,
    notBefore,
    notAfter,
  };
}
