import { formatDuration } from "@newleaf/daemon";
import type { PolicyLimits } from "./rule.ts";

/** What a renewal must leave of the old certificate's life: until the new one is there, and then until no one uses the old. */
export function marginMs({ kubeletSyncMs, drainMs }: PolicyLimits): number {
  return kubeletSyncMs + drainMs;
}

/** A duration as people write it; what is below a millisecond is not said. */
export function spell(ms: number): string {
  const text = formatDuration(Math.round(ms));
  // formatDuration counts days; Go, which reads the mend, does not.
  const [, days, rest = ""] = /^(\d+)d(.*)$/.exec(text) ?? [];
  if (days === undefined) return text;
  const [, hours = "0", more = ""] = /^(?:(\d+)h)?(.*)$/.exec(rest) ?? [];
  return `${Number(days) * 24 + Number(hours)}h${more}`;
}

/** A renewBefore that leaves the margin: a third of the duration, as cert-manager's own default, or what is needed. */
export function adviceFor(durationMs: number, limits: PolicyLimits): string {
  const needed = marginMs(limits);
  return durationMs / 3 >= needed
    ? `renew ${spell(durationMs / 3)} before the end, a third of the lifetime`
    : `let the certificate live ${spell(needed * 3)} or more, and renew ${spell(needed)} before its end`;
}
