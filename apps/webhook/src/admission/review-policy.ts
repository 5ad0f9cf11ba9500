import { type AdmissionRequest, type Reviewer, type ValidatingVerdict, verdict } from "@newleaf/webhook";
import { checkManifest } from "../policy/check-manifest.ts";
import { formatFieldPath } from "../policy/field-path.ts";
import type { Finding } from "../policy/finding.ts";
import { emptyContext } from "../policy/policy-context.ts";
import type { PolicySettings } from "../policy/policy-settings.ts";

/**
 * The rules as a validating webhook: what a rule denies is refused, the rest is allowed with warnings. What an object
 * had before an update, and what is being deleted, is warned of only: an object made before the webhook can be scaled,
 * labelled and taken away as ever. Without an object (DELETE) there is nothing to say.
 */
export function createPolicyReviewer(
  settings: PolicySettings,
  onFindings: (findings: readonly Finding[]) => void = () => {},
): Reviewer<ValidatingVerdict> {
  return (request) => {
    const findings = findingsOf(request, settings);
    if (findings.length > 0) onFindings(findings);
    const [denied, warned] = [rulesOf(findings, "deny"), rulesOf(findings, "warn")];
    const notes = {
      warnings: findings.filter(({ severity }) => severity === "warn").map(warningOf),
      auditAnnotations: {
        ...(denied.length > 0 && { denied: denied.join(",") }),
        ...(warned.length > 0 && { warned: warned.join(",") }),
      },
    };
    return denied.length === 0 ? verdict.allow(notes) : verdict.deny(denialOf(findings), notes);
  };
}

function findingsOf(request: AdmissionRequest, settings: PolicySettings): readonly Finding[] {
  const { object, oldObject } = request;
  if (object === undefined) return [];
  const findings = checkManifest(object, emptyContext, settings);
  if (findings.length === 0) return findings;
  const leaving = object.metadata?.deletionTimestamp !== undefined;
  const before = oldObject === undefined ? [] : checkManifest(oldObject, emptyContext, settings);
  const known = new Set(before.map(keyOf));
  return findings.map((finding) =>
    leaving || known.has(keyOf(finding)) ? { ...finding, severity: "warn" as const } : finding,
  );
}

/** The same fault, wherever it has moved to in its list. */
function keyOf({ rule, message }: Finding): string {
  return `${rule} ${message}`;
}

function rulesOf(findings: readonly Finding[], severity: Finding["severity"]): readonly string[] {
  return [...new Set(findings.filter((finding) => finding.severity === severity).map(({ rule }) => rule))];
}

const LONGEST_DENIAL = 10;

function denialOf(findings: readonly Finding[]): string {
  const denied = findings.filter(({ severity }) => severity === "deny");
  const lines = denied
    .slice(0, LONGEST_DENIAL)
    .map(
      ({ rule, path, message, mend }) =>
        `[${rule}] ${formatFieldPath(path)}: ${message}. What mends it: ${mend}`,
    );
  const more = denied.length - lines.length;
  return ["its certificates could not rotate", ...lines, ...(more > 0 ? [`and ${more} more`] : [])].join(
    "\n",
  );
}

function warningOf({ rule, path, message, mend }: Finding): string {
  return `[${rule}] ${formatFieldPath(path)}: ${message}. What mends it: ${mend}`;
}
