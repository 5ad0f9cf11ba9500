import type { LintReport } from "./lint.ts";
import { countOf } from "./render-text.ts";

/** The report as plain data. */
export function lintJson(report: LintReport): object {
  return {
    findings: report.findings.map(({ file, line, column, rule, severity, object, field, message, mend }) => ({
      file,
      line,
      column,
      rule,
      severity,
      object,
      field,
      message,
      mend,
    })),
    errors: report.problems,
    summary: {
      files: report.fileCount,
      objects: report.objectCount,
      deny: countOf(report, "deny"),
      warn: countOf(report, "warn"),
    },
  };
}
