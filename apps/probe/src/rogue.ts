import { roundMs } from "@newleaf/daemon";
import type { Attempt } from "./attempt.ts";
import { type Names, namesOf } from "./forged-identity.ts";
import type { RogueMeans } from "./rogue-means.ts";
import { ROGUE_ROWS, type RogueRow } from "./rogue-rows.ts";

export interface RogueOptions extends RogueMeans {
  /** Told of each row as it ends. */
  readonly onResult?: (result: RogueResult) => void;
}

/**
 * - `refused`: as it should be; `let_in`: it should have been refused and was not
 * - `served`, `failed`: the control, which should be served
 * - `unreachable`: there was nobody to refuse it; `skipped`: something is missing, see `detail`
 */
export type RogueVerdict = "refused" | "let_in" | "served" | "failed" | "unreachable" | "skipped";

export interface RogueResult {
  readonly row: string;
  readonly description: string;
  readonly verdict: RogueVerdict;
  /** What the client saw, or why the row was skipped. */
  readonly seen: string;
  readonly durationMs: number | undefined;
}

export interface RogueReport {
  readonly results: readonly RogueResult[];
  /** Nothing was let in, the control was served, and every row that was tried reached the peer. */
  readonly ok: boolean;
}

/** Tries the refusal matrix, one row after the other. */
export async function tryRogue(options: RogueOptions): Promise<RogueReport> {
  const names: Names = options.own
    ? namesOf(options.own.leaf)
    : { subject: "CN=rogue", dnsNames: [], uris: [] };
  const results: RogueResult[] = [];
  for (const row of ROGUE_ROWS) {
    options.signal.throwIfAborted();
    const result = await tryRow(row, options, names);
    results.push(result);
    options.onResult?.(result);
  }
  const bad: readonly RogueVerdict[] = ["let_in", "failed", "unreachable"];
  return { results, ok: results.every(({ verdict }) => !bad.includes(verdict)) };
}

async function tryRow(row: RogueRow, options: RogueOptions, names: Names): Promise<RogueResult> {
  const { name, description } = row;
  const missing = row.needs.filter((need) => options[need] === undefined).map((need) => FLAGS[need]);
  const skipped = (seen: string): RogueResult => ({
    row: name,
    description,
    verdict: "skipped",
    seen,
    durationMs: undefined,
  });
  if (missing.length > 0) return skipped(`needs ${missing.join(" and ")}`);
  const attempt = await row.attempt({ ...options, names });
  if ("skipped" in attempt) return skipped(attempt.skipped);
  const { outcome, durationMs } = attempt;
  const seen = outcome.kind === "alert" ? `alert ${outcome.detail.replaceAll("_", " ")}` : outcome.detail;
  return { row: name, description, verdict: judge(row, attempt), seen, durationMs: roundMs(durationMs) };
}

const FLAGS = { own: "--certs", authority: "--ca", revoked: "--revoked" } as const;

function judge(row: RogueRow, { outcome }: Attempt): RogueVerdict {
  if (outcome.kind === "unreachable") return "unreachable";
  if (row.control) return outcome.kind === "served" ? "served" : "failed";
  // A connection that is still open was not refused, whether anything was served on it or not.
  return outcome.kind === "served" || outcome.kind === "held" ? "let_in" : "refused";
}
