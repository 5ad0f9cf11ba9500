import { createManualClock, type ManualClock } from "@newleaf/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Clock, electLeader, KubeError, type Leadership } from "../src/index.ts";
import { createMemoryLeases, type Intercept, type MemoryLeases } from "./memory-leases.ts";

/**
 * Candidates of one Lease with clocks of their own, requests that are slow, lost before or after they took effect,
 * event loops that stall, and processes that die and start again. Whatever happens, no two of them find the Lease
 * held at the same true time, terms only grow, and once all is well again there is a leader.
 */
test("never two leaders at the same time, whatever fails", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 2, max: 5 }), async (seed, candidates) => {
      const world = createWorld(seed, candidates);
      for (let i = 0; i < 300; i++) await world.step();
      world.heal();
      // Longer than a stall, a Lease, a drain and the longest wait between attempts together.
      for (let i = 0; i < 100; i++) await world.step();
      expect(world.holders()).toHaveLength(1);
      await world.stop();
    }),
    { numRuns: 60 },
  );
}, 120_000);

interface World {
  /** Lets up to two seconds pass and something happen, and checks the invariant. */
  step(): Promise<void>;
  heal(): void;
  /** Who finds the Lease held. */
  holders(): string[];
  stop(): Promise<void>;
}

function createWorld(seed: number, count: number): World {
  const random = createRandom(seed);
  const clock = createManualClock();
  const api = createMemoryLeases();
  const weather: Weather = { isBad: true };
  const processes = Array.from({ length: count }, (_, i) =>
    createProcess(`candidate-${i}`, clock, api, random, weather),
  );
  const holders = (): string[] =>
    processes.flatMap((process) => (process.isHolding() ? [process.identity] : []));
  let newestTerm = -1;

  const check = (): void => {
    expect(holders().length, `${holders().join(" and ")} at ${clock.monotonic()}`).toBeLessThan(2);
    for (const { leadership, isHolding } of processes) {
      if (leadership === undefined || !isHolding()) continue;
      expect(leadership.term).toBeGreaterThanOrEqual(newestTerm);
      newestTerm = leadership.term;
    }
  };

  return {
    async step() {
      if (weather.isBad) for (const process of processes) process.misfortune();
      for (let i = 0; i < 4; i++) {
        await clock.advance(Math.ceil(random() * 500));
        check();
      }
    },
    heal() {
      weather.isBad = false;
      for (const process of processes) process.heal();
    },
    holders,
    async stop() {
      for (const process of processes) process.stop();
      for (let i = 0; i < 40; i++) await clock.advance(1_000);
      await Promise.all(processes.map(({ ended }) => ended()));
      expect(api.lease?.spec?.holderIdentity).toBe("");
    },
  };
}

interface Weather {
  isBad: boolean;
}

interface Process {
  readonly identity: string;
  readonly leadership: Leadership | undefined;
  isHolding(): boolean;
  /** Something bad, now and then. */
  misfortune(): void;
  heal(): void;
  stop(): void;
  ended(): Promise<void>;
}

function createProcess(
  identity: string,
  trueClock: ManualClock,
  api: MemoryLeases,
  random: () => number,
  weather: Weather,
): Process {
  const machine = createMachine(trueClock, random);
  let leadership: Leadership | undefined;
  let isAway = false;
  let life = new AbortController();
  let ended = Promise.resolve();
  let restart: { cancel(): void } | undefined;

  const intercept =
    (alive: AbortSignal): Intercept =>
    (_verb, apply, { signal, timeoutMs = 30_000 }) =>
      new Promise((resolve, reject) => {
        const fail = (): void => reject(new KubeError("ERR_KUBE_UNREACHABLE", "connection reset"));
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
        machine.clock.setTimeout(fail, timeoutMs);
        const [there, back] = weather.isBad ? [slow(random), slow(random)] : [random() * 20, random() * 20];
        const [isLost, isAnswerLost] = [random() < 0.1, random() < 0.1];
        // What was sent arrives, also when its sender is dead or has given up by then.
        trueClock.setTimeout(() => {
          if (isAway || (weather.isBad && isLost)) return fail();
          const answer = apply();
          machine.clock.setTimeout(() => {
            if (alive.aborted) return;
            if (weather.isBad && isAnswerLost) fail();
            else resolve(answer);
          }, back);
        }, Math.ceil(there));
      });

  const start = (): void => {
    life = new AbortController();
    const dead = new AbortController();
    const incarnation = machine.boot();
    kill = () => {
      incarnation.crash();
      dead.abort();
      leadership = undefined;
    };
    ended = electLeader({
      leases: api.client(intercept(dead.signal)),
      name: "lock",
      identity,
      clock: incarnation.clock,
      random,
      signal: life.signal,
      async lead(term) {
        leadership = term;
        await new Promise<void>((resolve) => {
          // Work takes a while to notice; by then it must not think that it leads.
          const end = (): void => void incarnation.clock.setTimeout(resolve, random() * 3_000);
          term.signal.addEventListener("abort", end, { once: true });
        });
      },
    });
  };
  let kill = (): void => {};
  start();

  return {
    identity,
    get leadership() {
      return leadership;
    },
    isHolding: () => {
      // A stalled process runs nothing, but its next statement may be the guarded write.
      try {
        leadership?.assertHeld();
        return leadership !== undefined;
      } catch {
        return false;
      }
    },
    misfortune() {
      const chance = random();
      if (chance < 0.02) machine.stall(random() * 40_000);
      else if (chance < 0.04) machine.step((random() - 0.5) * 600_000);
      else if (chance < 0.06) isAway = true;
      else if (chance < 0.2) isAway = false;
      else if (chance < 0.215 && restart === undefined) {
        kill();
        restart = trueClock.setTimeout(
          () => {
            restart = undefined;
            start();
          },
          Math.ceil(random() * 20_000),
        );
      }
    },
    heal() {
      isAway = false;
    },
    stop: () => life.abort(new Error("stopped")),
    ended: () => ended,
  };
}

/** Mostly quick, now and then longer than any deadline. */
function slow(random: () => number): number {
  return random() < 0.9 ? random() * 300 : random() * 20_000;
}

interface Machine {
  readonly clock: Clock;
  /** The clock of a process on it, whose callbacks are no more once it has crashed. */
  boot(): { readonly clock: Clock; crash(): void };
  /** No callback runs for so long; then all that are due run, in order. */
  stall(ms: number): void;
  /** The wall clock is set. */
  step(ms: number): void;
}

function createMachine(trueClock: ManualClock, random: () => number): Machine {
  // Whole milliseconds, so that what is due at the same time keeps its order.
  const origin = Math.round(random() * 1e9);
  let skew = Math.round((random() - 0.5) * 600_000);
  let stalledUntil = 0;
  const overdue: { readonly due: number; readonly callback: () => void; isCancelled: boolean }[] = [];
  const clock: Clock = {
    now: () => trueClock.now() + skew,
    monotonic: () => trueClock.monotonic() + origin,
    setTimeout(callback, ms) {
      const timer = { due: trueClock.monotonic() + Math.ceil(ms), callback, isCancelled: false };
      const pending = trueClock.setTimeout(() => {
        if (stalledUntil <= trueClock.monotonic() && overdue.length === 0) return callback();
        if (overdue.push(timer) === 1) trueClock.setTimeout(catchUp, stalledUntil - trueClock.monotonic());
      }, ms);
      return {
        cancel: () => {
          pending.cancel();
          timer.isCancelled = true;
        },
      };
    },
  };
  // As Node.js does after a stall: what is due runs in order, each with what it started before the next.
  const catchUp = (): void => {
    const rest = stalledUntil - trueClock.monotonic();
    if (rest > 0) return void trueClock.setTimeout(catchUp, rest);
    const timer = overdue.sort((a, b) => a.due - b.due).shift();
    if (timer?.isCancelled === false) timer.callback();
    if (overdue.length > 0) trueClock.setTimeout(catchUp, 0);
  };
  return {
    clock,
    boot() {
      let isCrashed = false;
      return {
        clock: {
          ...clock,
          setTimeout: (callback, ms) => clock.setTimeout(() => void (isCrashed || callback()), ms),
        },
        crash() {
          isCrashed = true;
        },
      };
    },
    stall(ms) {
      stalledUntil = Math.max(stalledUntil, trueClock.monotonic() + Math.round(ms));
    },
    step(ms) {
      skew += Math.round(ms);
    },
  };
}

/** mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
