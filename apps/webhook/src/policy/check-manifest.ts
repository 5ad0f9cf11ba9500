import type { Finding } from "./finding.ts";
import { annotationsOf, type ManifestObject, objectsOf, podSourceOf } from "./manifest-objects.ts";
import { viewPod } from "./pod-view.ts";
import type { PolicyContext } from "./policy-context.ts";
import type { PolicySettings } from "./policy-settings.ts";
import type { PodFacts } from "./rule.ts";
import { rules } from "./rules.ts";
import { contentsOf } from "./volume-contents.ts";

/** On an object, or its Pod template: rules that do not apply to it, separated by commas, or `all`. */
export const ignoreAnnotation = "newleaf.dev/lint-ignore";

/**
 * What the rules find in an object, or in the items of a List. Any value may be given: kinds that no rule is about, and
 * what is no object, have no findings. Pure.
 */
export function checkManifest(
  document: unknown,
  context: PolicyContext,
  settings: PolicySettings,
): readonly Finding[] {
  return objectsOf(document).flatMap((object) => findingsOf(object, context, settings));
}

function findingsOf(
  object: ManifestObject,
  context: PolicyContext,
  { rules: severities, limits }: PolicySettings,
): readonly Finding[] {
  const source = podSourceOf(object);
  const ignored = new Set([object.fields.metadata, source?.metadata].flatMap(ignoredIn));
  const pod = source && viewPod(source, object.name.namespace);
  const contents: PodFacts["contents"] = new Map(
    pod?.volumes.flatMap((volume) => {
      const read = contentsOf(volume, pod, context);
      return read === undefined ? [] : [[volume.name, read] as const];
    }),
  );
  return rules.flatMap((rule) => {
    const severity = severities[rule.id];
    if (severity === "off" || ignored.has(rule.id) || ignored.has("all")) return [];
    const problems = [
      ...(pod === undefined ? [] : (rule.checkPod?.(pod, { context, limits, contents }) ?? [])),
      ...(rule.checkObject?.(object, limits) ?? []),
    ];
    return problems.map((problem) => ({ rule: rule.id, severity, object: object.name, ...problem }));
  });
}

function ignoredIn(metadata: unknown): readonly string[] {
  const text = annotationsOf(metadata).get(ignoreAnnotation) ?? "";
  return text.split(",").map((rule) => rule.trim());
}
