import type { Diagnosis } from "../diagnosis.ts";
import type { Facts, SessionFacts } from "../facts.ts";
import { rounded, serial } from "./words.ts";

/** What PostgreSQL says of itself: whether it could be asked, and who is connected with an old certificate. */
export function diagnosePostgres({ postgres, client }: Facts, now: Date): readonly Diagnosis[] {
  if (!postgres) return [];
  const found: Diagnosis[] = [];
  if (postgres.problem !== undefined) {
    found.push({
      code: "postgres_unreadable",
      subject: postgres.name,
      severity: "note",
      certificates: false,
      message: `PostgreSQL could not be asked, so its last reload and its sessions are not known: ${postgres.problem}`,
    });
  }
  const leaf = client?.leaf;
  if (!leaf) return found;
  const current = leaf.serialNumber.replaceAll(":", "").toLowerCase().replace(/^0+/, "");
  const old = (postgres.sessions ?? []).filter(({ serialNumber }) => serialNumber !== current);
  const [oldest] = old.toSorted((one, other) => one.since.getTime() - other.since.getTime());
  if (!oldest) return found;
  const lifeMs = leaf.notAfter.getTime() - leaf.notBefore.getTime();
  const outlived = now.getTime() - oldest.since.getTime() > lifeMs;
  found.push({
    code: "old_connections",
    subject: postgres.name,
    severity: outlived ? "wrong" : "note",
    certificates: true,
    message: `${old.length} of ${postgres.sessions?.length} sessions were opened with another certificate than the client's current one (${serial(leaf)}); the oldest, of ${whose(oldest)}, is open for ${rounded(now.getTime() - oldest.since.getTime())}${outlived ? ", longer than such a certificate lives" : ""}`,
    remedy:
      "PostgreSQL does not look again at a certificate that it has let in. Bound the lifetime of the pool's connections, or use createRotatingPool, which closes them after each rotation.",
  });
  return found;
}

function whose({ user, application }: SessionFacts): string {
  return application === "" ? user : `${user} (${application})`;
}
