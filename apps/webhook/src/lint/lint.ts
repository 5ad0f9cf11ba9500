import { checkManifest } from "../policy/check-manifest.ts";
import { type FieldPath, formatFieldPath } from "../policy/field-path.ts";
import type { Finding } from "../policy/finding.ts";
import { objectsOf } from "../policy/manifest-objects.ts";
import { gatherContext } from "../policy/policy-context.ts";
import type { PolicySettings } from "../policy/policy-settings.ts";
import type { InputProblem } from "./input-problem.ts";
import { type Place, parseManifests } from "./parse-manifests.ts";
import type { ManifestFile } from "./read-manifests.ts";

export interface LintReport {
  /** By file in the order given, then by line. */
  readonly findings: readonly LintFinding[];
  /** What could not be read. */
  readonly problems: readonly InputProblem[];
  readonly fileCount: number;
  readonly objectCount: number;
}

export interface LintFinding extends Finding, Place {
  readonly file: string;
  /** Within the object: `spec.template.spec.containers[0].volumeMounts[1].subPath`. */
  readonly field: string;
}

/** Applies the rules to files that belong together: what one names, another may make. Pure. */
export function lint(files: readonly ManifestFile[], settings: PolicySettings): LintReport {
  const parsed = files.map((file) => {
    if ("problem" in file) return { path: file.path, documents: [], problems: [file.problem] };
    return { path: file.path, ...parseManifests(file.path, file.text) };
  });
  const documents = parsed.flatMap(({ path, documents }) =>
    documents.map((document) => ({ path, document })),
  );
  const context = gatherContext(documents.map(({ document }) => document.value));
  const findings = parsed.flatMap(({ path, documents: own }) =>
    own
      .flatMap(({ value, locate }) =>
        checkManifest(value, context, settings).map((finding) => ({
          file: path,
          ...locate(finding.path),
          field: formatFieldPath(withinObject(finding.path)),
          ...finding,
        })),
      )
      .sort((a, b) => a.line - b.line || a.column - b.column),
  );
  return {
    findings,
    problems: parsed.flatMap(({ problems }) => problems),
    fileCount: files.length,
    objectCount: documents.reduce((count, { document }) => count + objectsOf(document.value).length, 0),
  };
}

/** A path without the List around the object. */
function withinObject(path: FieldPath): FieldPath {
  return path[0] === "items" && typeof path[1] === "number" ? withinObject(path.slice(2)) : path;
}
