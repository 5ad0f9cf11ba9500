import { type Clock, systemClock, type Timer } from "../clock.ts";
import type { GateResult } from "../gate.ts";
import type { IdentityHolder } from "../identity-holder.ts";
import type { DirectoryWatcher } from "./directory-watcher.ts";
import { type IdentityPaths, partsOf, type ReadOutcome, readIdentity } from "./read-identity.ts";
import { isOverdue } from "./standing-warnings.ts";
import { traceLookups } from "./trace-lookups.ts";

export interface FollowOptions {
  readonly clock: Clock;
  readonly settleMs: number;
  readonly pollMs: number;
  readonly maxBytes: number;
  readonly createWatcher: (onEvent: (event: string, name: string | null) => void) => DirectoryWatcher;
}

export interface FollowedFiles {
  start(): void;
  /** Reads again now; settles when what was found is taken over or refused. */
  reload(): Promise<void>;
  warnings(): readonly string[];
  close(): void;
}

/** How many settling times a pair may stay torn, or a file go on changing, before that is called a failure. */
const PATIENCE = 20;
/** Between two swaps taken at once, in real time: a storm of them must not cost more than its last one is worth. */
const SHORTEST_INTERVAL_MS = 10;
/** How often to look where the kernel cannot tell. */
const UNWATCHED_POLL_MS = 1_000;

/** Keeps a holder in step with files. Synchronous in itself: nothing is ever in flight but timers and events. */
export function followFiles(
  paths: IdentityPaths,
  holder: IdentityHolder,
  options: FollowOptions,
): FollowedFiles {
  return new Follower(paths, holder, options);
}

interface Settling {
  readonly since: number;
  rounds: number;
  refused: boolean;
  digest: string;
  timer: Timer;
}

class Follower implements FollowedFiles {
  readonly #paths: IdentityPaths;
  readonly #all: readonly string[];
  readonly #holder: IdentityHolder;
  readonly #options: FollowOptions;
  readonly #watcher: DirectoryWatcher;
  /** What was last taken over or refused. */
  #concluded: ReadOutcome | undefined;
  #concludedAt = Number.NEGATIVE_INFINITY;
  /** The directories of the last snapshot concluded. */
  #origin: string | undefined;
  #settling: Settling | undefined;
  #poll: Timer | undefined;
  #idle: (() => void)[] = [];
  #closed = false;

  constructor(paths: IdentityPaths, holder: IdentityHolder, options: FollowOptions) {
    this.#paths = paths;
    this.#all = partsOf(paths);
    this.#holder = holder;
    this.#options = options;
    this.#watcher = options.createWatcher((event, name) => this.#onEvent(event, name));
  }

  start(): void {
    this.#onPoll();
  }

  reload(): Promise<void> {
    this.#arm();
    const outcome = this.#read();
    const gate = outcome.ok ? this.#holder.evaluate(outcome.material) : undefined;
    const settled = outcome.digest === this.#concluded?.digest;
    if (settled || gate?.ok || (outcome.ok && outcome.atomic)) {
      this.#conclude(outcome, gate);
      return Promise.resolve();
    }
    this.#settle(outcome, this.#options.settleMs);
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  warnings(): readonly string[] {
    const warnings = [...this.#watcher.failures()].map(
      ([directory, reason]) => `${directory} cannot be watched (${reason}); it is read every second instead`,
    );
    const kept = this.#holder.current();
    const atomic = this.#concluded?.ok && this.#concluded.atomic;
    if (kept?.number === 1 && !atomic && isOverdue(kept, new Date(this.#options.clock.now()))) {
      warnings.push(
        `${this.#paths.certificate} never changed; a subPath mount never does: mount the whole volume`,
      );
    }
    return warnings;
  }

  close(): void {
    this.#closed = true;
    this.#watcher.close();
    this.#poll?.cancel();
    this.#stopSettling();
  }

  #onEvent(event: string, name: string | null): void {
    // While something settles the timer looks again, which bounds what a storm of events costs.
    if (this.#closed || (this.#settling && name !== "..data")) return;
    this.#observe();
    // A swap of `..data` leads nowhere new, and this is the path that has to be short.
    if (event === "rename" && name !== "..data" && this.#arm()) this.#observe();
  }

  #onPoll(): void {
    this.#arm();
    this.#observe();
    const { pollMs } = this.#options;
    const wait = this.#watcher.failures().size > 0 ? Math.min(pollMs, UNWATCHED_POLL_MS) : pollMs;
    this.#poll = this.#options.clock.setTimeout(() => this.#onPoll(), wait);
  }

  #arm(): boolean {
    return this.#watcher.arm(traceLookups(this.#all));
  }

  #observe(): void {
    const outcome = this.#read();
    if (this.#isConcluded(outcome)) return;
    if (!outcome.ok || outcome.origin === this.#origin) {
      this.#settle(outcome, this.#options.settleMs);
      return;
    }
    // Read from another directory than last time: written in full before it was put in place.
    const early = this.#concludedAt + SHORTEST_INTERVAL_MS - performance.now();
    if (early > 0) {
      this.#settle(outcome, early, systemClock);
      return;
    }
    const gate = this.#holder.evaluate(outcome.material);
    if (outcome.atomic || gate.ok) this.#conclude(outcome, gate);
    else this.#settle(outcome, this.#options.settleMs);
  }

  #isConcluded(outcome: ReadOutcome): boolean {
    if (outcome.digest !== this.#concluded?.digest) return false;
    // Back where it was: what was said of the state in between no longer holds.
    if (this.#settling?.refused) this.#conclude(outcome);
    else this.#stopSettling();
    return true;
  }

  #settle(outcome: ReadOutcome, ms: number, clock = this.#options.clock): void {
    if (this.#settling) return;
    const timer = clock.setTimeout(() => this.#onSettled(), ms);
    this.#settling = {
      since: this.#options.clock.now(),
      rounds: 0,
      refused: false,
      digest: outcome.digest,
      timer,
    };
  }

  #onSettled(): void {
    const settling = this.#settling;
    if (!settling) return;
    this.#arm();
    const outcome = this.#read();
    if (this.#isConcluded(outcome)) return;
    const gate = outcome.ok ? this.#holder.evaluate(outcome.material) : undefined;
    const moving = outcome.digest !== settling.digest;
    const torn = moving || (gate && !gate.ok && gate.code === "key_mismatch" && settling.rounds < PATIENCE);
    if (!torn || (outcome.ok && outcome.atomic)) {
      this.#conclude(outcome, gate);
      return;
    }
    settling.digest = outcome.digest;
    if (!moving) this.#refuseTorn(settling, "certificate and key do not match while an update is under way");
    else if (settling.rounds >= PATIENCE) this.#refuseTorn(settling, "the files go on changing");
    settling.rounds++;
    settling.timer = this.#options.clock.setTimeout(() => this.#onSettled(), this.#options.settleMs);
  }

  #refuseTorn(settling: Settling, message: string): void {
    settling.refused = true;
    this.#holder.refuse("torn", message);
  }

  #conclude(outcome: ReadOutcome, gate?: GateResult): void {
    const deliveredAt = new Date(this.#settling?.since ?? this.#options.clock.now());
    this.#concluded = outcome;
    this.#concludedAt = performance.now();
    if (outcome.ok) this.#origin = outcome.origin;
    if (outcome.ok) this.#holder.offer(outcome.material, deliveredAt, gate);
    else this.#holder.refuse(outcome.code, outcome.message);
    this.#stopSettling();
  }

  #stopSettling(): void {
    this.#settling?.timer.cancel();
    this.#settling = undefined;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #read(): ReadOutcome {
    return readIdentity(this.#paths, this.#options.maxBytes);
  }
}
