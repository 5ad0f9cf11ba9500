import {
  defineCommand,
  jsonOption,
  type LeafCommand,
  type Output,
  type Style,
  usageError,
  z,
} from "@newleaf/daemon";
import { type PolicySettings, policyOptions, policySettings } from "../policy/policy-settings.ts";
import { helpUriOf, rules } from "../policy/rules.ts";
import type { InputProblem } from "./input-problem.ts";
import { type LintReport, lint } from "./lint.ts";
import { lintJson } from "./lint-json.ts";
import { readManifests } from "./read-manifests.ts";
import { countOf, renderText } from "./render-text.ts";
import { sarifLog } from "./sarif.ts";

export const lintCommand: LeafCommand = defineCommand({
  name: "lint",
  summary: "manifests whose certificates cannot rotate, before they reach a cluster",
  description:
    "Reads YAML and JSON manifests: files, directories, standard input. Exits with 1 if a rule that denies finds something, " +
    "with 2 if something could not be read; the rest is looked at all the same. Nothing of a Secret but the names of its " +
    "keys is looked at. docs/policy.md explains every rule.",
  examples: [
    { command: "newleaf lint deploy/", note: "the YAML and JSON files below a directory" },
    { command: "helm template web ./chart | newleaf lint -", note: "a chart, rendered" },
    { command: "newleaf lint deploy/ --format sarif > lint.sarif", note: "for a code scanning service" },
    { command: "newleaf lint deploy/ --rule subpath=warn --rule split-bundle=off", note: "other severities" },
    { command: "newleaf lint --list-rules", note: "what is looked for" },
  ],
  arguments: {
    files: {
      placeholder: "[file...]",
      description: "files, directories, or - for standard input",
      schema: z.array(z.string().min(1)).default([]),
    },
  },
  options: {
    ...policyOptions,
    failOn: {
      flag: "--fail-on <severity>",
      description: "exit with 1 if there is a finding this bad: deny or warn",
      schema: z.enum(["deny", "warn"]),
      default: "deny",
    },
    format: {
      flag: "--format <format>",
      description: "how to write the findings: text, json or sarif",
      schema: z.enum(["text", "json", "sarif"]).optional(),
    },
    json: jsonOption,
    listRules: {
      flag: "--list-rules",
      description: "list the rules with their severities, and look at nothing",
      schema: z.boolean(),
      default: false,
    },
  },
  configFile: true,
  async run(config, { stdin, stdout, stderr, style, signal, version, logger, commandName }) {
    const settings = policySettings(config);
    const { format = config.json ? "json" : "text" } = config;
    if (config.json && format !== "json")
      throw usageError(`--json and --format ${format} exclude each other`);
    if (config.listRules) {
      stdout.write(format === "text" ? listRules(settings, style) : rulesJson(settings));
      return 0;
    }
    if (config.files.length === 0) {
      throw usageError("no files", "name files or directories, or - for standard input");
    }
    const { files, templates } = await readManifests(config.files, stdin, signal);
    for (const directory of templates) {
      logger.warn(
        { directory },
        "Helm templates left out; render them: helm template CHART | newleaf lint -",
      );
    }
    const report = lint(files, settings);
    stdout.write(written(report, { format, settings, style, version }));
    for (const problem of report.problems) writeProblem(problem, commandName, stderr);
    if (report.problems.length > 0) return 2;
    return countOf(report, "deny") + (config.failOn === "warn" ? countOf(report, "warn") : 0) > 0 ? 1 : 0;
  },
});

interface Writing {
  readonly format: "text" | "json" | "sarif";
  readonly settings: PolicySettings;
  readonly style: Style;
  readonly version: string;
}

function written(report: LintReport, { format, settings, style, version }: Writing): string {
  switch (format) {
    case "text":
      return renderText(report, style);
    case "json":
      return `${JSON.stringify(lintJson(report))}\n`;
    case "sarif":
      return `${JSON.stringify(sarifLog(report, settings.rules, version), undefined, 2)}\n`;
  }
}

function writeProblem({ message, hint }: InputProblem, commandName: string, stderr: Output): void {
  stderr.write(`${commandName}: ${message}\n${hint === undefined ? "" : `hint: ${hint}\n`}`);
}

function listRules({ rules: severities }: PolicySettings, style: Style): string {
  const width = Math.max(...rules.map(({ id }) => id.length));
  return rules
    .map(({ id, title }) => `${style.cyan(id.padEnd(width))}  ${severities[id].padEnd(4)}  ${title}\n`)
    .join("");
}

function rulesJson({ rules: severities }: PolicySettings): string {
  const list = rules.map(({ id, title, reason, mend }) => ({
    rule: id,
    severity: severities[id],
    title,
    reason,
    mend,
    help: helpUriOf(id),
  }));
  return `${JSON.stringify({ rules: list })}\n`;
}
