import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "@newleaf/daemon";
import { diagnose, gather } from "@newleaf/doctor";
import { type IdentitySource, verifyServed } from "@newleaf/rotation";
import type { Demo } from "../demo.ts";
import type { Database } from "./database.ts";
import { startSessions } from "./sessions.ts";
import { LIFE_MS, type SpiffeWorld } from "./spiffe-world.ts";
import { wrap } from "./wrap.ts";

/** How it failed while nobody told the database, and what the doctor said of it. */
export interface Outage {
  /** From the database's start to the first query that failed. */
  readonly failedAfterMs: number | null;
  readonly reason: string | null;
  /** Codes of docs/doctor.md. */
  readonly diagnosis: readonly string[];
  /** What, why and until when, what mends it, and the command that does. */
  readonly words: readonly string[];
}

export const NO_OUTAGE: Outage = { failedAfterMs: null, reason: null, diagnosis: [], words: [] };

export interface OutageParts {
  readonly world: SpiffeWorld;
  readonly database: Database;
  readonly certificates: string;
  /** The backend's. */
  readonly identity: IdentitySource;
}

/** Act one: the files rotate, nobody tells the database, new sessions fail when what it serves has expired. */
export async function tellOutageStory(demo: Demo, parts: OutageParts): Promise<Outage> {
  const { database, identity } = parts;
  const startedAt = Date.now();
  using _comparing = compareAtEachRenewal(demo, parts);
  await using sessions = startSessions("new sessions", database.connect(identity, "each"), identity);
  const reason = await Promise.race([sessions.failed, deadline(LIFE_MS + 10_000, demo.signal)]);
  const { requests } = sessions.tally();
  if (reason === undefined) {
    if (!demo.signal.aborted)
      demo.problem("act one: no new session failed, although nobody told the database");
    return NO_OUTAGE;
  }
  const failedAfterMs = Date.now() - startedAt;
  demo.tell("good", `the outage, as it must be: after ${requests} new sessions one fails (${reason})`);
  return { failedAfterMs, reason, ...(await askDoctor(demo, parts)) };
}

/** What a handshake shows, beside what the files get. */
function compareAtEachRenewal(demo: Demo, { world, database }: OutageParts): Disposable {
  return world.onIssued("database", (svid) => {
    void demo.play(async () => {
      const { served } = await verifyServed(database.target, svid, { signal: demo.signal });
      if (served === undefined) return;
      const left = served.leaf.notAfter.getTime() - Date.now();
      const until = left > 0 ? `valid for ${(left / 1000).toFixed(0)} s more` : "expired";
      demo.tell(
        "rotation",
        `the files get ${short(svid)}; a handshake shows ${short(served.leaf)}, ${until}`,
      );
    });
  });
}

async function askDoctor(
  demo: Demo,
  { database, certificates }: OutageParts,
): Promise<Pick<Outage, "diagnosis" | "words">> {
  const facts = await gather({
    targets: [database.target],
    certificates,
    postgresData: database.dataDirectory,
    timeoutMs: 5_000,
    signal: demo.signal,
    logger: silentLogger,
  });
  const { diagnoses } = diagnose(facts, new Date());
  const diagnosis = diagnoses.map(({ code }) => code);
  const words = diagnoses.flatMap(({ message, remedy, command }) =>
    [message, remedy, command].flatMap((text) => text ?? []),
  );
  const data = database.dataDirectory === undefined ? "" : ` --postgres-data ${database.dataDirectory}`;
  demo.tell("step", `newleaf doctor ${database.target} --certs ${certificates}${data}`);
  demo.tell("good", `  ${diagnosis.join(", ")}`);
  for (const line of words.flatMap((text) => wrap(text, 100))) demo.tell("step", `  ${line}`);
  if (!diagnosis.includes("served_expired")) {
    demo.problem(`act one: the doctor says ${diagnosis.join(", ") || "nothing"}, and not served_expired`);
  }
  return { diagnosis, words };
}

function deadline(ms: number, signal: AbortSignal): Promise<undefined> {
  return sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

function short({ serialNumber }: { readonly serialNumber: string }): string {
  return `${serialNumber.slice(0, 8)}…`;
}
