import { certificateMarginRule, certificateWindowRule } from "./certificate-window.ts";
import { csiMarginRule, csiWindowRule } from "./csi-window.ts";
import type { Rule, RuleId } from "./rule.ts";
import { shadowedMountRule } from "./shadowed-mount.ts";
import { splitBundleRule } from "./split-bundle.ts";
import { subPathRule } from "./subpath.ts";
import { tlsEnvRule } from "./tls-env.ts";
import { tokenLifetimeRule } from "./token-lifetime.ts";
import { unreadableKeyRule } from "./unreadable-key.ts";

/** Every rule, in the order of docs/policy.md. */
export const rules: readonly Rule[] = [
  subPathRule,
  tlsEnvRule,
  csiWindowRule,
  csiMarginRule,
  certificateWindowRule,
  certificateMarginRule,
  unreadableKeyRule,
  splitBundleRule,
  tokenLifetimeRule,
  shadowedMountRule,
];

/** Where a rule is explained. */
export function helpUriOf(id: RuleId): string {
  return `https://newleaf.dev/docs/policy#${id}`;
}
