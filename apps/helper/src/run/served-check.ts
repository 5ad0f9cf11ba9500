import type { CheckResult } from "@newleaf/daemon";
import { isProved, type ServedReport } from "@newleaf/rotation";

/** What each target was last seen to serve, for readiness. */
export interface ServedCheck {
  note(name: string, reports: readonly ServedReport[]): void;
  /** It could not be told: what it serves is what it served before. */
  fail(name: string, message: string): void;
  check(): CheckResult;
}

/**
 * Ready while no target is known to serve something else than what was delivered. A target that has never answered
 * does not count: it may be waiting for this very readiness before it starts.
 */
export function createServedCheck(): ServedCheck {
  const answered = new Set<string>();
  const problems = new Map<string, string>();
  return {
    note(name, reports) {
      const bad = reports.find((report) => !isProved(report));
      if (reports.some(({ served }) => served !== undefined)) answered.add(name);
      if (bad === undefined) problems.delete(name);
      else problems.set(name, describe(bad));
    },
    fail(name, message) {
      problems.set(name, `it could not be told of the new certificate: ${message}`);
    },
    check() {
      const found = [...problems].flatMap(([name, problem]) =>
        answered.has(name) ? [`${name}: ${problem}`] : [],
      );
      return found.length === 0 ? { ok: true } : { ok: false, reason: found.join("; ") };
    },
  };
}

function describe({ target, verdict, served, trusted, message }: ServedReport): string {
  if (served === undefined) return `${target} is unreachable${message === undefined ? "" : `: ${message}`}`;
  const what = verdict === "equal" ? "the new certificate" : `another certificate (${verdict})`;
  const untrusted = trusted?.ok === false ? `, not trusted: ${trusted.message}` : "";
  const until = served.leaf.notAfter.toISOString();
  return `${target} serves ${what}, serial ${served.leaf.serialNumber}, until ${until}${untrusted}`;
}
