import { checkedTexts, duration, type TypedOption } from "@newleaf/daemon";
import type { PolicyLimits, RuleId, Severity } from "./rule.ts";
import { rules } from "./rules.ts";

/** Which rules count, and what the cluster is taken to do. */
export interface PolicySettings {
  readonly rules: RuleSettings;
  readonly limits: PolicyLimits;
}

export type RuleSettings = Readonly<Record<RuleId, Severity>>;

/** What certainly cannot rotate is denied; what depends on the program is warned about. */
export const defaultPolicy: PolicySettings = Object.freeze({
  rules: ruleSettings([]),
  limits: Object.freeze({ kubeletSyncMs: 90_000, drainMs: 30_000, maxTokenLifetimeMs: 86_400_000 }),
});

const severities: readonly string[] = ["off", "warn", "deny"] satisfies Severity[];

/** The options of a command that applies the rules, for {@link policySettings}. */
export const policyOptions: {
  readonly rule: TypedOption<readonly string[]>;
  readonly kubeletSync: TypedOption<number>;
  readonly drain: TypedOption<number>;
  readonly maxTokenLifetime: TypedOption<number>;
} = {
  rule: {
    flag: "--rule <rule=severity>",
    description: "set a rule to off, warn or deny; all=warn sets every rule, later ones win",
    schema: checkedTexts((text) => parseSetting(text), {
      problem: "is not rule=severity",
      hint: `rules: ${rules.map(({ id }) => id).join(", ")}, all; severities: off, warn, deny`,
    }),
    repeatable: true,
  },
  kubeletSync: {
    flag: "--kubelet-sync <duration>",
    description: "how long a changed Secret takes into a running container",
    schema: duration({ max: "24h" }),
    default: "90s",
  },
  drain: {
    flag: "--drain <duration>",
    description: "how long connections that use the old certificate may take to end",
    schema: duration({ max: "24h" }),
    default: "30s",
  },
  maxTokenLifetime: {
    flag: "--max-token-lifetime <duration>",
    description: "the longest service account token that the API server grants",
    schema: duration({ min: "10m" }),
    default: "24h",
  },
};

/** The settings that {@link policyOptions} say. */
export function policySettings(config: {
  readonly rule: readonly string[];
  readonly kubeletSync: number;
  readonly drain: number;
  readonly maxTokenLifetime: number;
}): PolicySettings {
  return Object.freeze({
    rules: ruleSettings(config.rule),
    limits: Object.freeze({
      kubeletSyncMs: config.kubeletSync,
      drainMs: config.drain,
      maxTokenLifetimeMs: config.maxTokenLifetime,
    }),
  });
}

/** `subpath=warn` over the defaults, one after the other; throws at what names no rule or severity. */
export function ruleSettings(texts: readonly string[]): RuleSettings {
  const settings = Object.fromEntries(rules.map(({ id, severity }) => [id, severity])) as Record<
    RuleId,
    Severity
  >;
  for (const text of texts) {
    const { ids, severity } = parseSetting(text);
    for (const id of ids) settings[id] = severity;
  }
  return Object.freeze(settings);
}

function parseSetting(text: string): { readonly ids: readonly RuleId[]; readonly severity: Severity } {
  const [name = "", severity = "", ...rest] = text.split("=").map((part) => part.trim());
  if (rest.length > 0 || !severities.includes(severity)) throw new Error(`${text} has no severity`);
  const ids = rules.map(({ id }) => id).filter((id) => id === name || name === "all");
  if (ids.length === 0) throw new Error(`${text} names no rule`);
  return { ids, severity: severity as Severity };
}
