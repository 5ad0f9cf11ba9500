import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import type { RuleSettings } from "../policy/policy-settings.ts";
import type { Rule, Severity } from "../policy/rule.ts";
import { helpUriOf, rules } from "../policy/rules.ts";
import type { InputProblem } from "./input-problem.ts";
import type { LintFinding, LintReport } from "./lint.ts";

/** The report as a SARIF 2.1.0 log, which code scanning services read. */
export function sarifLog(report: LintReport, settings: RuleSettings, version: string): object {
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "newleaf lint",
            version,
            informationUri: "https://newleaf.dev/docs/policy",
            rules: rules.map((rule) => describeRule(rule, settings[rule.id])),
          },
        },
        invocations: [
          {
            executionSuccessful: report.problems.length === 0,
            toolExecutionNotifications: report.problems.map(notification),
          },
        ],
        columnKind: "utf16CodeUnits",
        results: report.findings.map(result),
      },
    ],
  };
}

function describeRule(rule: Rule, severity: Severity): object {
  return {
    id: rule.id,
    shortDescription: { text: rule.title },
    fullDescription: { text: rule.reason },
    help: { text: `${rule.reason} To mend it: ${rule.mend}.` },
    helpUri: helpUriOf(rule.id),
    defaultConfiguration: { enabled: severity !== "off", level: levels[severity] },
  };
}

const levels = { off: "none", warn: "warning", deny: "error" } as const;

function result(finding: LintFinding): object {
  const { rule, severity, object, field, message, mend, file, line, column } = finding;
  const qualified = [object.kind, object.namespace, object.name].filter((part) => part).join("/");
  return {
    ruleId: rule,
    ruleIndex: rules.findIndex(({ id }) => id === rule),
    level: levels[severity],
    message: { text: `${message}. To mend it: ${mend}.` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(file) },
          region: { startLine: line, startColumn: column },
        },
        logicalLocations: [
          { name: object.name, fullyQualifiedName: `${qualified}:${field}`, kind: "object" },
        ],
      },
    ],
    // The same finding after lines moved.
    partialFingerprints: {
      "objectAndField/v1": createHash("sha256").update(`${rule} ${qualified} ${field}`).digest("hex"),
    },
  };
}

function notification({ file, line, column, message }: InputProblem): object {
  return {
    level: "error",
    message: { text: message },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(file) },
          ...(line === undefined ? {} : { region: { startLine: line, startColumn: column } }),
        },
      },
    ],
  };
}

/** A relative path stays relative: services resolve it in the repository. */
function uriOf(file: string): string {
  if (file === "-") return "stdin";
  if (file.startsWith("/")) return pathToFileURL(file).href;
  return file
    .replace(/^(\.\/)+/, "")
    .split("/")
    .map(encodeURIComponent)
    .join("/");
}
