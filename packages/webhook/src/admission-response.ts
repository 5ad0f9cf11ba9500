import { isDeepStrictEqual } from "node:util";
import type { JsonPatch } from "@newleaf/kube";
import { createPatch } from "rfc6902";
import { ADMISSION_API_VERSION, type AdmissionRefusal } from "./admission-review.ts";
import type { Change, MutatingVerdict } from "./admission-verdict.ts";

// What the API server takes (apiserver/pkg/endpoints/filters/warning.go).
const warningCharacters = 256;
const allWarningsCharacters = 4_096;
/** Comparing two arrays costs the product of their lengths; beyond it the whole array is replaced. */
const maxArrayComparisons = 100_000;

/** The AdmissionReview that answers `uid`. `dropped`: audit annotations that the API server would not take. */
export function admissionResponse(
  uid: string,
  verdict: MutatingVerdict,
): { readonly body: object; readonly changes: boolean; readonly dropped: readonly string[] } {
  const patch = verdict.kind === "mutate" ? patchOf(verdict.change) : [];
  const warnings = trimWarnings(verdict.warnings ?? []);
  const annotations = Object.entries(verdict.auditAnnotations ?? {});
  const kept = annotations.filter(([key]) => isAnnotationName(key));
  const response = {
    uid,
    allowed: verdict.kind !== "deny",
    ...(verdict.kind === "deny" && { status: statusOf(verdict) }),
    ...(patch.length > 0 && { patchType: "JSONPatch", patch: base64(JSON.stringify(patch)) }),
    ...(warnings.length > 0 && { warnings }),
    ...(kept.length > 0 && { auditAnnotations: Object.fromEntries(kept) }),
  };
  return {
    body: { apiVersion: ADMISSION_API_VERSION, kind: "AdmissionReview", response },
    changes: patch.length > 0,
    dropped: annotations.map(([key]) => key).filter((key) => !isAnnotationName(key)),
  };
}

/** A meta/v1 Status: what the API server shows of an answer that is no review. */
export function failureStatus({ code, reason, message }: AdmissionRefusal): object {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message };
}

/** Each to 256 characters, all together to 4,096; control characters, which no header may hold, become spaces. */
export function trimWarnings(warnings: readonly string[]): readonly string[] {
  const trimmed: string[] = [];
  let left = allWarningsCharacters;
  for (const warning of warnings) {
    const characters = [...warning.replace(/\p{Cc}+/gu, " ")];
    const kept = characters.slice(0, Math.min(warningCharacters, left));
    if (kept.length === 0) continue;
    left -= kept.length;
    trimmed.push(kept.join(""));
  }
  return trimmed;
}

function patchOf(change: Change): JsonPatch {
  if ("patch" in change) return change.patch;
  return createPatch(change.before, change.after, (before, after, pointer) => {
    if (!Array.isArray(before) || !Array.isArray(after)) return undefined;
    if (before.length * after.length <= maxArrayComparisons) return undefined;
    if (isDeepStrictEqual(before, after)) return [];
    return [{ op: "replace", path: pointer.toString(), value: after }];
  });
}

function statusOf({ message, code, reason }: AdmissionRefusal): object {
  const isFailure = Number.isInteger(code) && code >= 400 && code <= 599;
  return { status: "Failure", message, code: isFailure ? code : 403, reason };
}

/** The API server prefixes `<webhook name>/`, and leaves out what is then no qualified name. */
function isAnnotationName(key: string): boolean {
  return /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(key);
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
