import {
  type Clock,
  KubeError,
  type Leadership,
  type Logger,
  silentLogger,
  systemClock,
} from "@newleaf/kube";
import { targetKey } from "./ca-bundle.ts";
import { whenRenewedTwice } from "./internal/renewed-twice.ts";
import { createRetryPace, type RetryPace } from "./internal/retry-pace.ts";
import { createWakeup, type Wakeup } from "./internal/wakeup.ts";
import { type Findings, type LeaderPolicy, readObservation } from "./leader-observation.ts";
import { type LeadCertificateOptions, policyOf } from "./leader-options.ts";
import { planLeader } from "./leader-plan.ts";
import { createLeaderProofs, type LeaderProofs, proveByHandshake } from "./leader-proofs.ts";
import { createStatusReporter, type StatusReporter } from "./leader-status.ts";
import type { LeaderStep, LeaderWait, LeaderWrite } from "./leader-step.ts";
import { type LeaderWatch, type Seen, startLeaderWatch } from "./leader-watch.ts";
import { authorityName, prepareWrite } from "./leader-writes.ts";

export type { LeadCertificateOptions, ReplicaOptions } from "./leader-options.ts";

/** Of the Lease, kept back from every request. */
const MARGIN_MS = 250;
/** The wall clock may step, and a machine may sleep. */
const LONGEST_WAIT_MS = 60_000;
/** A caBundle that has to be written again within this time is contested. */
const CONTEST_MS = 10_000;

/**
 * Issues, renews, rolls and repairs a webhook's certificate for one term of leadership. Resolves when the term is
 * over; failures of the API server are retried, never thrown. All state is in the API: a leader that ends anywhere is
 * followed by one that goes on from there.
 */
export async function leadCertificate(options: LeadCertificateOptions): Promise<void> {
  const policy = policyOf(options);
  const { leadership } = options;
  await using leader = new Leader(options, policy);
  try {
    await leader.run();
  } catch (error) {
    const lost = error instanceof KubeError && error.code === "ERR_KUBE_NOT_LEADER";
    if (!lost && !leadership.signal.aborted) throw error;
  }
}

class Leader implements AsyncDisposable {
  readonly #policy: LeaderPolicy;
  readonly #leadership: Leadership;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #requestTimeoutMs: number;
  readonly #wakeup: Wakeup;
  readonly #pace: RetryPace;
  readonly #watch: LeaderWatch;
  readonly #proofs: LeaderProofs;
  readonly #status: StatusReporter;
  readonly #written = new Map<string, number>();
  /** Objects that carry the mark of this term, as far as this leader knows. */
  readonly #marked = new Set<string>();
  #published: { readonly caHash: string; readonly since: number } | undefined;

  constructor(options: LeadCertificateOptions, policy: LeaderPolicy) {
    const { clock = systemClock, logger = silentLogger, random = Math.random, replicas, serving } = options;
    this.#policy = policy;
    this.#leadership = options.leadership;
    this.#clock = clock;
    this.#logger = logger;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 5_000;
    this.#wakeup = createWakeup(clock);
    this.#pace = createRetryPace(clock, random);
    this.#status = createStatusReporter({ clock, logger, onStatus: options.onStatus });
    const onChange = (): void => this.#wakeup.ring();
    const port = replicas?.port ?? 0;
    const prove = replicas?.prove ?? proveByHandshake({ port, servername: serving.dnsNames[0] });
    this.#proofs = createLeaderProofs({ prove, pace: this.#pace, clock, logger, onChange });
    const { client, namespace, name, targets } = options;
    this.#watch = startLeaderWatch({
      ...{ client, namespace, name, targets, replicas, clock, random, logger, onChange },
      authorityName: authorityName(policy),
      names: policy.names,
    });
  }

  async run(): Promise<void> {
    const { signal } = this.#leadership;
    await this.#watch.whenSynced(signal);
    while (!signal.aborted) {
      const found = this.#read(this.#watch.observe());
      const step = planLeader(found);
      if (step.write === undefined) await this.#wait(step, found);
      else await this.#write(step, found);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proofs[Symbol.asyncDispose]();
    await this.#watch[Symbol.asyncDispose]();
  }

  #read(seen: Seen): Findings {
    const now = this.#clock.monotonic();
    const found = readObservation(
      {
        ...seen,
        blocked: new Set([...this.#pace.blocked()].map((key) => key.split(BUNDLE).at(-1) ?? key)),
        proved: this.#proofs.proved,
        published: this.#published && {
          caHash: this.#published.caHash,
          forMs: now - this.#published.since,
        },
      },
      this.#policy,
      this.#clock.now(),
    );
    if (!found.isPublished) this.#published = undefined;
    else if (this.#published?.caHash !== found.caHash) {
      this.#published = { caHash: found.caHash, since: now };
    }
    return found;
  }

  async #wait(step: LeaderWait, found: Findings): Promise<void> {
    this.#status.report(step, found);
    const { leaf, certHash } = found.stored ?? {};
    if (leaf && certHash) this.#proofs.ask(step.toProve, { certHash, leaf, trust: found.trust });
    const untilMs = (step.until ?? Number.POSITIVE_INFINITY) - this.#clock.now();
    const waitMs = Math.min(
      LONGEST_WAIT_MS,
      step.forMs ?? Number.POSITIVE_INFINITY,
      this.#pace.nextMs(),
      Math.max(1, untilMs),
    );
    await this.#wakeup.wait(waitMs, this.#leadership.signal);
  }

  async #write(step: LeaderWrite, found: Findings): Promise<void> {
    const key = keyOf(step);
    this.#status.report(step, found);
    if (this.#isChallenged(step, found)) {
      await this.#answerChallenge(step.object);
      return;
    }
    const timeoutMs = Math.min(this.#requestTimeoutMs, this.#leadership.remainingMs() - MARGIN_MS);
    if (timeoutMs <= 0) {
      // About to be renewed, or lost.
      this.#leadership.assertHeld();
      await this.#wakeup.wait(MARGIN_MS, this.#leadership.signal);
      return;
    }
    try {
      await this.#attempt(step, found, timeoutMs, key);
    } catch (error) {
      this.#leadership.assertHeld();
      this.#leadership.signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.warn({ write: key, reason }, "write failed, it is tried again");
      await this.#pause(key, this.#pace.failed(key));
    }
  }

  /** Somebody else has marked what was marked for this term. */
  #isChallenged(
    step: LeaderWrite,
    { observed, policy }: Findings,
  ): step is Extract<LeaderWrite, { write: "fence" }> {
    if (step.write !== "fence" || !this.#marked.has(step.object)) return false;
    return observed[step.object]?.metadata?.annotations?.[policy.names.leader] !== undefined;
  }

  /** If the Lease was deleted its next holder has begun before this one knows: it must not be fenced in its turn. */
  async #answerChallenge(object: string): Promise<void> {
    const { signal } = this.#leadership;
    this.#logger.warn({ object }, "marked by another leader, waiting until this one is confirmed");
    await whenRenewedTwice(this.#leadership, this.#clock, (ms) => this.#wakeup.wait(ms, signal));
    this.#marked.delete(object);
  }

  async #attempt(step: LeaderWrite, found: Findings, timeoutMs: number, key: string): Promise<void> {
    const { signal } = this.#leadership;
    const request = { signal, timeoutMs, priority: "high" } as const;
    let basis = found;
    if ("confirm" in step && step.confirm) {
      basis = this.#read(await this.#watch.fetch(request));
      if (!isSameStep(step, planLeader(basis))) return;
    }
    const send = prepareWrite(step, basis, this.#watch.resources);
    this.#leadership.assertHeld();
    const answer = await send({ ...request, fieldManager: "newleaf" });
    if (answer.ok) {
      this.#watch.remember(answer.value);
      if (step.write !== "bundle") this.#marked.add(step.write === "fence" ? step.object : step.write);
      this.#settleWith(key);
      this.#logger.info({ write: key, why: step.why }, messageOf(step));
      return;
    }
    const { code, reason, message, retryAfterMs } = answer.status;
    // Someone else has written, or what was read is old; a JSON patch whose test fails is answered with 422.
    const stale = code === 409 || code === 404 || (code === 422 && step.write === "bundle");
    const fields = { write: key, code, reason, message };
    if (stale) this.#logger.debug(fields, "write came too late, it is planned anew");
    else this.#logger.warn(fields, "write failed, it is tried again");
    const waitMs = this.#pace.failed(key, { retryAfterMs, soon: stale });
    if (stale) await this.#watch.fetch(request);
    await this.#pause(key, waitMs);
  }

  /** Somebody who also keeps a caBundle, with another content, is not answered at full speed. */
  #settleWith(key: string): void {
    this.#pace.succeeded(key);
    if (!key.startsWith(BUNDLE)) return;
    const now = this.#clock.monotonic();
    const before = this.#written.get(key) ?? Number.NEGATIVE_INFINITY;
    this.#written.set(key, now);
    const contest = `contest for ${key}`;
    if (now - before < CONTEST_MS) this.#pace.failed(contest, { soon: true });
    else this.#pace.succeeded(contest);
  }

  /** Targets wait by themselves, so that one that cannot be written does not keep the others waiting. */
  async #pause(key: string, waitMs: number): Promise<void> {
    if (key.startsWith(BUNDLE)) return;
    await this.#wakeup.wait(waitMs, this.#leadership.signal);
  }
}

/** Stands before the target in keys. */
const BUNDLE = "caBundle of ";

function keyOf(step: LeaderWrite): string {
  switch (step.write) {
    case "fence":
      return `fence of ${step.object}`;
    case "authority":
      return `authority: ${step.change.to}`;
    case "bundle":
      return `${BUNDLE}${targetKey(step.target.target)}`;
    case "serving":
      return step.issue ? "serving certificate" : "serving trust";
    case "lease":
      return "serving Lease";
  }
}

function messageOf({ write }: LeaderWrite): string {
  switch (write) {
    case "fence":
      return "object fenced";
    case "authority":
      return "webhook authority changed";
    case "bundle":
      return "caBundle written";
    case "serving":
      return "serving Secret written";
    case "lease":
      return "certificate announced";
  }
}

function isSameStep(step: LeaderWrite, again: LeaderStep): boolean {
  return again.write !== undefined && keyOf(step) === keyOf(again);
}
