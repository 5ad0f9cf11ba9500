import type { Style } from "@newleaf/daemon";
import type { Demo } from "../demo.ts";
import { type DemoTally, percentile, type ServerTally } from "../demo-result.ts";
import { type ResultRow, renderTable } from "../render-result.ts";
import type { AdmissionOutcomes } from "./admissions.ts";
import type { FollowerCalls } from "./api-calls.ts";
import type { FirstIssue } from "./first-issue-story.ts";
import type { LeaderLoss } from "./leader-story.ts";
import type { BundleWiped } from "./repair-stories.ts";
import type { Stage } from "./stage.ts";

interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What `newleaf demo webhook` ends with, and prints with `--json`. Null is what did not come to pass. */
export interface WebhookDemoResult extends DemoTally {
  /** By how they came out; each as it must, or it is a failure. */
  readonly admissions: AdmissionOutcomes & {
    readonly failed: number;
    /** By the API server itself, which had nobody to ask, or no CA to verify the webhook with. */
    readonly refusedByApiServer: { readonly beforeFirstIssue: number; readonly whileCaBundleWiped: number };
  };
  readonly firstAdmissionMs: number | null;
  /** Certificates that followed another one. */
  readonly renewals: number;
  readonly caRollovers: number;
  readonly leaderTakeoverMs: number | null;
  readonly secretRepairedMs: number | null;
  readonly caBundleRepairedMs: number | null;
  /** From the change of the Lease to a replica that has seen it; `servedLagMs` is until it served. */
  readonly discoveryMs: Spread;
  /** From a Pod's update to the swap in its volume. */
  readonly kubeletMs: Spread;
  readonly followerCalls: FollowerCalls;
  /** What RBAC has forbidden to the webhook. */
  readonly forbidden: readonly string[];
}

/** What came of the stories that were told. */
export interface Told {
  readonly first?: FirstIssue;
  readonly loss?: LeaderLoss | undefined;
  readonly secretMs?: number | undefined;
  readonly bundle?: BundleWiped | undefined;
  readonly rolledOver?: boolean | undefined;
}

const NO_CALLS: FollowerCalls = { watches: 0, podPatches: 0, election: 0, polls: 0, writes: 0, atStart: 0 };
const NO_OUTCOMES: AdmissionOutcomes = { allowed: 0, warned: 0, denied: 0 };

/** Counts up, and says what is wrong with it. */
export function webhookResult(
  demo: Demo,
  stage: Stage | undefined,
  { first, loss, secretMs, bundle, rolledOver }: Told,
  tallyOf: (servers: readonly ServerTally[]) => DemoTally,
): WebhookDemoResult {
  const followerCalls = stage?.calls.followers() ?? NO_CALLS;
  const forbidden = stage?.calls.forbidden() ?? [];
  for (const what of forbidden) demo.problem(`RBAC forbids what a replica needs: ${what}`);
  if (followerCalls.polls > 0) {
    demo.problem(`followers asked ${followerCalls.polls} times for what a watch tells them`);
  }
  const servers = stage?.announcements
    .tallies()
    .filter(({ name, rotations }) => rotations > 0 || stage.replicas.has(name));
  const tally = tallyOf(servers ?? []);
  return {
    ...tally,
    admissions: {
      ...(first?.admissions.outcomes ?? NO_OUTCOMES),
      failed: tally.failures,
      refusedByApiServer: {
        beforeFirstIssue: first?.refused ?? 0,
        whileCaBundleWiped: bundle?.refused ?? 0,
      },
    },
    firstAdmissionMs: rounded(first?.afterMs),
    renewals: stage?.announcements.renewals ?? 0,
    caRollovers: rolledOver ? 1 : 0,
    leaderTakeoverMs: rounded(loss?.takeoverMs),
    secretRepairedMs: rounded(secretMs),
    caBundleRepairedMs: rounded(bundle?.repairedMs),
    servedLagMs: roundedSpread(tally.servedLagMs),
    discoveryMs: spreadOf(stage?.announcements.discoveryMs ?? []),
    kubeletMs: spreadOf(stage?.announcements.kubeletMs ?? []),
    followerCalls,
    forbidden,
  };
}

/** The table at the end, for people. */
export function renderWebhookResult(result: WebhookDemoResult, style: Style): string {
  const { admissions, followerCalls: calls, discoveryMs, kubeletMs, interrupted } = result;
  const came = (ms: number | null, tell: (after: string) => string): string => {
    if (ms === null) return interrupted ? "had not come yet" : style.red("did not happen");
    return tell(ms < 1_000 ? `after ${ms} ms` : `after ${(ms / 1_000).toFixed(1)} s`);
  };
  const { beforeFirstIssue, whileCaBundleWiped } = admissions.refusedByApiServer;
  const above: readonly ResultRow[] = [
    ["certificates", `${result.renewals} renewed, CA rollovers ${result.caRollovers}`],
    [
      "first admission",
      came(
        result.firstAdmissionMs,
        (after) => `${after}, from nothing; refused before that by the API server ${beforeFirstIssue}`,
      ),
    ],
    ["leader killed", came(result.leaderTakeoverMs, (after) => `another leads ${after}`)],
    ["Secret deleted", came(result.secretRepairedMs, (after) => `there again ${after}`)],
    [
      "caBundle wiped",
      came(
        result.caBundleRepairedMs,
        (after) => `there again ${after}; refused meanwhile by the API server ${whileCaBundleWiped}`,
      ),
    ],
    ["announced to seen", spread(discoveryMs)],
    ["Pod to volume", `${spread(kubeletMs)} (the kubelet)`],
  ];
  const below: readonly ResultRow[] = [
    [
      "admissions",
      `allowed ${admissions.allowed}, warned ${admissions.warned}, denied ${admissions.denied}, failed ${admissions.failed}`,
    ],
    [
      "followers' calls",
      `polls ${calls.polls}, other writes ${calls.writes}; watches ${calls.watches}, Pod patches ${calls.podPatches}, election ${calls.election}, at start ${calls.atStart}`,
    ],
    ["forbidden by RBAC", result.forbidden.join(", ") || "nothing"],
  ];
  return renderTable(result, style, { lag: "announced to served", above, below });
}

function spread({ p50, p99, max }: Spread): string {
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`;
}

function spreadOf(values: readonly number[]): Spread {
  return roundedSpread({
    p50: percentile(values, 0.5),
    p99: percentile(values, 0.99),
    max: Math.max(0, ...values),
  });
}

function roundedSpread({ p50, p99, max }: Spread): Spread {
  const tenths = (ms: number): number => Math.round(ms * 10) / 10;
  return { p50: tenths(p50), p99: tenths(p99), max: tenths(max) };
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms);
}
