import type { Problem } from "./finding.ts";
import type { ManifestObject } from "./manifest-objects.ts";
import type { PodView } from "./pod-view.ts";
import type { PolicyContext } from "./policy-context.ts";
import type { VolumeContents } from "./volume-contents.ts";

/** `off`: not looked at. `warn`: said. `deny`: refused by the webhook, and exit code 1 of `newleaf lint`. */
export type Severity = "off" | "warn" | "deny";

/** The name of a rule, as settings, findings and annotations have it. It does not change. */
export type RuleId =
  | "subpath"
  | "tls-env"
  | "csi-window"
  | "csi-margin"
  | "certificate-window"
  | "certificate-margin"
  | "unreadable-key"
  | "split-bundle"
  | "token-lifetime"
  | "shadowed-mount";

/** A rule: what it is about, why, what mends it, and how it looks at a Pod or at another object. */
export interface Rule {
  readonly id: RuleId;
  /** One line, as in a listing. */
  readonly title: string;
  /** The fact behind it. */
  readonly reason: string;
  readonly mend: string;
  readonly severity: Severity;
  checkPod?(pod: PodView, facts: PodFacts): readonly Problem[];
  checkObject?(object: ManifestObject, limits: PolicyLimits): readonly Problem[];
}

/** What rules know beside the Pod. */
export interface PodFacts {
  readonly context: PolicyContext;
  readonly limits: PolicyLimits;
  /** By volume name: those that the kubelet or a driver of cert-manager fills. */
  readonly contents: ReadonlyMap<string, VolumeContents>;
}

/** What the cluster is taken to do. */
export interface PolicyLimits {
  /** How long a changed Secret takes into a running container. */
  readonly kubeletSyncMs: number;
  /** How long connections that use the old certificate may take to end. */
  readonly drainMs: number;
  /** The longest service account token that the API server grants. */
  readonly maxTokenLifetimeMs: number;
}
