import type { Clock } from "../clock.ts";
import type { Leadership } from "../leader-election.ts";
import type { Logger } from "../logger.ts";
import { delay } from "./delay.ts";
import type { ElectionTiming } from "./election-timing.ts";
import { type HeldLease, holdLease } from "./held-lease.ts";
import type { Attempt, LeaseCandidate } from "./lease-candidate.ts";
import { onAbort } from "./on-abort.ts";

export interface TermOptions {
  readonly name: string;
  readonly candidate: LeaseCandidate;
  readonly timing: ElectionTiming;
  readonly drainMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly lead: (leadership: Leadership) => Promise<void>;
}

export interface TermEnd {
  /** Why the Lease was lost; undefined when it was held to the end of the work. */
  readonly lost: string | undefined;
  /** `running`: later than allowed after its signal was aborted. */
  readonly work: "ended" | "failed" | "running";
  readonly error: unknown;
}

/** Runs the work while the Lease is renewed. When this resolves, nothing in memory holds the Lease any more. */
export async function runTerm(
  options: TermOptions,
  claim: Extract<Attempt, { outcome: "held" }>,
): Promise<TermEnd> {
  const { name, timing, clock, signal } = options;
  const { sentAt, term } = claim;
  const held = holdLease({ name, term, sentAt, renewDeadlineMs: timing.renewDeadlineMs, clock });
  const letGo = onAbort(signal, () => held.end(signal.reason));

  const renewing = renew(options, held);
  const end = await runWork(options, held.leadership);
  // Work that fails after the deadline fails for it, whether or not a timer has said so.
  held.check();
  const { lost } = held;
  held.lose("the work has ended");
  letGo();
  await renewing;
  return { ...end, lost };
}

/** Until the work's signal aborts. */
async function renew(options: TermOptions, held: HeldLease): Promise<void> {
  const { candidate, clock, timing } = options;
  const { signal, term } = held.leadership;
  while (await delay(clock, timing.retryPeriodMs, signal)) {
    held.check();
    if (held.lost !== undefined) return;
    const attempt = await candidate.tryAcquireOrRenew(signal);
    if (signal.aborted) return;
    if (attempt.outcome === "taken") held.lose(`it was taken by ${attempt.holder}`);
    // It was released or deleted behind our back, and others may have held it since.
    else if (attempt.outcome === "held" && attempt.term !== term) held.lose("it had been free");
    else if (attempt.outcome === "held") held.renewed(attempt.sentAt);
  }
}

async function runWork(options: TermOptions, leadership: Leadership): Promise<Omit<TermEnd, "lost">> {
  type Work = Omit<TermEnd, "lost">;
  const { name, clock, logger, drainMs, lead } = options;
  // The answer to the claim may have come too late.
  if (leadership.signal.aborted) return { work: "ended", error: undefined };
  const settled = new AbortController();
  const overdue = new Promise<Work>((resolve) => {
    const onAbort = async (): Promise<void> => {
      if (await delay(clock, drainMs, settled.signal)) resolve({ work: "running", error: undefined });
    };
    leadership.signal.addEventListener("abort", () => void onAbort(), { once: true });
  });
  const work = (async () => lead(leadership))().then(
    (): Work => ({ work: "ended", error: undefined }),
    (error: unknown): Work => ({ work: "failed", error }),
  );
  const end = await Promise.race([work, overdue]);
  settled.abort();
  if (end.work === "failed" && leadership.signal.aborted && end.error !== leadership.signal.reason) {
    logger.warn({ lease: name, reason: String(end.error) }, "leader's work failed while it was ending");
  }
  return end;
}
