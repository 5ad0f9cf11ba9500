import type { FieldPath } from "./field-path.ts";
import type { RuleId } from "./rule.ts";

/** A manifest that will not rotate, or a part of it that says so. Holds names and times, never what a Secret holds. */
export interface Finding {
  readonly rule: RuleId;
  readonly severity: "warn" | "deny";
  readonly object: ObjectName;
  /** From the top of the document given; within a List through `items`. */
  readonly path: FieldPath;
  /** What is wrong, where, and what follows from it, in one line. */
  readonly message: string;
  /** What mends it, in one line. */
  readonly mend: string;
}

export interface ObjectName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  /** `generateName` followed by `*` where the API server chooses the name; empty where the manifest has none. */
  readonly name: string;
}

/** What a rule found: the rest of a finding follows from the rule and the object. */
export interface Problem {
  readonly path: FieldPath;
  readonly message: string;
  readonly mend: string;
}
