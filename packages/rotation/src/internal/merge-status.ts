import type { Refusal, RefusalCode, SourceStatus } from "../identity-source.ts";

/** The status of a source that is made of others: what is current is its own, and what went wrong is everyone's. */
export function mergeStatus(own: SourceStatus, parts: readonly SourceStatus[]): SourceStatus {
  const all = [own, ...parts];
  const refusals: Partial<Record<RefusalCode, number>> = {};
  for (const [code, count] of all.flatMap((status) => Object.entries(status.refusals))) {
    refusals[code as RefusalCode] = (refusals[code as RefusalCode] ?? 0) + count;
  }
  return Object.freeze({
    ...own,
    stale: all.some(({ stale }) => stale),
    lastRefusal: latest(all.flatMap(({ lastRefusal }) => lastRefusal ?? [])),
    refusals: Object.freeze(refusals),
    // Its own are about the same certificate as those of the part that it comes from.
    warnings: Object.freeze([...new Set(parts.flatMap(({ warnings }) => warnings))]),
  });
}

function latest(refusals: readonly Refusal[]): Refusal | undefined {
  return [...refusals].sort((one, other) => one.at.getTime() - other.at.getTime()).at(-1);
}
