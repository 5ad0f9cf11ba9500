import { createManualClock, type ManualClock } from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import {
  away,
  createMemoryLeases,
  hanging,
  type Intercept,
  type MemoryLeases,
} from "../test/memory-leases.ts";
import { KubeError } from "./error.ts";
import { electLeader, type LeaderElectionOptions, type Leadership } from "./leader-election.ts";

/** A candidate whose work lasts until its signal aborts, unless told otherwise. */
interface Candidate {
  readonly terms: readonly Leadership[];
  /** The newest term. */
  readonly leadership: Leadership;
  readonly log: readonly string[];
  readonly leaders: readonly string[];
  readonly done: Promise<unknown>;
  stop(): void;
  fault: Intercept | undefined;
}

interface Setup {
  readonly clock: ManualClock;
  readonly api: MemoryLeases;
  /** Time passes and no callback runs: what a long computation looks like to the code after it. */
  stall(ms: number): void;
  start(identity: string, options?: Partial<LeaderElectionOptions>): Candidate;
}

function setup(): Setup {
  const clock = createManualClock();
  const api = createMemoryLeases();
  let stalledMs = 0;
  return {
    clock,
    api,
    stall: (ms) => {
      stalledMs += ms;
    },
    start(identity, options = {}) {
      const abort = new AbortController();
      const terms: Leadership[] = [];
      const leaders: string[] = [];
      const log: string[] = [];
      const say = (_fields: object, message: string): void => void log.push(message);
      let fault: Intercept | undefined;
      return {
        terms,
        get leadership() {
          const newest = terms.at(-1);
          if (newest === undefined) throw new Error(`${identity} never led`);
          return newest;
        },
        log,
        leaders,
        stop: () => abort.abort(new Error("stopped")),
        get fault() {
          return fault;
        },
        set fault(next) {
          fault = next;
        },
        done: electLeader({
          leases: api.client((verb, apply, options) =>
            fault ? fault(verb, apply, options) : Promise.resolve(apply()),
          ),
          name: "lock",
          identity,
          clock: { ...clock, monotonic: () => clock.monotonic() + stalledMs },
          logger: { debug: () => {}, info: say, warn: say, error: say },
          random: () => 0,
          signal: abort.signal,
          onNewLeader: (leader) => leaders.push(leader),
          async lead(leadership) {
            terms.push(leadership);
            await (options.lead ?? untilAborted)(leadership);
          },
          ...("drainMs" in options && { drainMs: options.drainMs }),
        }).catch((error: unknown) => error),
      };
    },
  };
}

const untilAborted = ({ signal }: Leadership): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

const settle = (clock: ManualClock): Promise<void> => clock.advance(0);

const notHeld = expect.objectContaining({ code: "ERR_KUBE_NOT_LEADER" });

describe("ConfigValidation", () => {
  const refuses = async (options: Partial<LeaderElectionOptions>, message: RegExp): Promise<void> => {
    const api = createMemoryLeases();
    const election = electLeader({
      leases: api.client(),
      name: "lock",
      identity: "me",
      signal: new AbortController().signal,
      lead: async () => {},
      ...options,
    });
    const error = await election.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({ code: "ERR_KUBE_CONFIG", message: expect.stringMatching(message) });
    expect(api.requests).toEqual([]);
  };

  test("the lease must outlast the renew deadline", () =>
    refuses(
      { leaseDurationMs: 10_000, renewDeadlineMs: 10_000 },
      /leaseDurationMs .* more than renewDeadline/,
    ));

  test("the renew deadline must leave time for a retry and its jitter", () =>
    refuses(
      { renewDeadlineMs: 2_400, retryPeriodMs: 2_000 },
      /renewDeadlineMs .* more than 1.2 x retryPeriod/,
    ));

  test.each(["leaseDurationMs", "renewDeadlineMs", "retryPeriodMs"])(
    "%s must be positive",
    async (option) => {
      for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await refuses({ [option]: ms }, new RegExp(`${option} must be`));
      }
    },
  );

  test.each(["name", "identity"])("%s must be given", (option) =>
    refuses({ [option]: "" }, new RegExp(`${option} is missing`)),
  );

  test("the Lease is in a namespace", () =>
    refuses({ leases: { ...createMemoryLeases().client(), namespace: undefined } }, /namespace is missing/));
});

describe("while elected", () => {
  test("the Lease is renewed every retry period and the deadline moves with it", async () => {
    const { clock, api, start } = setup();
    const me = start("me");
    await settle(clock);
    expect(me.leadership.term).toBe(0);
    expect(me.leadership.remainingMs()).toBe(10_000);
    await clock.advance(1_500);
    expect(me.leadership.remainingMs()).toBe(8_500);
    await clock.advance(60_000 - 1_500);
    me.leadership.assertHeld();
    expect(api.requests.filter((verb) => verb === "update")).toHaveLength(30);
    expect(api.lease?.spec?.renewTime).toBe("2030-01-01T00:01:00.000000Z");
  });

  test("the deadline counts from when the renewal was sent", async () => {
    const { clock, start } = setup();
    const me = start("me");
    await settle(clock);
    me.fault = (_verb, apply) =>
      new Promise((resolve) => void clock.setTimeout(() => resolve(apply()), 3_000));
    await clock.advance(5_000);
    expect(me.leadership.remainingMs()).toBe(7_000);
  });

  test("a second candidate waits, sees who leads, and takes over when the first is gone", async () => {
    const { clock, start } = setup();
    const first = start("first");
    await settle(clock);
    const second = start("second");
    await clock.advance(60_000);
    expect(second.terms).toEqual([]);
    expect(second.leaders).toEqual(["first"]);
    first.fault = hanging(clock);
    await clock.advance(30_000);
    expect(second.leadership.term).toBe(1);
    expect(first.leadership.signal.aborted).toBe(true);
    expect(second.leaders).toEqual(["first", "second"]);
  });

  test("work that returns by itself gives the Lease back", async () => {
    const { clock, api, start } = setup();
    const me = start("me", { lead: async () => {} });
    await settle(clock);
    expect(await me.done).toBeUndefined();
    expect(api.lease?.spec?.holderIdentity).toBe("");
    expect(clock.pending).toBe(0);
  });

  test("work that fails gives the Lease back and ends the candidacy with its error", async () => {
    const { clock, api, start } = setup();
    const me = start("me", { lead: () => Promise.reject(new Error("no disk")) });
    await settle(clock);
    expect(await me.done).toMatchObject({ message: "no disk" });
    expect(api.lease?.spec?.holderIdentity).toBe("");
  });
});

describe("a Lease that is lost", () => {
  test.each([
    ["is away", () => away],
    ["hangs", hanging],
  ])("when the API server %s: at the renew deadline; then it stands again", async (_how, fault) => {
    const { clock, start } = setup();
    const me = start("me");
    await settle(clock);
    const [first] = me.terms;
    me.fault = fault(clock);
    await clock.advance(9_999);
    first?.assertHeld();
    expect(first?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(first?.signal.aborted).toBe(true);
    expect(first?.signal.reason).toEqual(notHeld);
    expect(() => first?.assertHeld()).toThrow(notHeld);
    expect(first?.remainingMs()).toBe(0);

    await clock.advance(600_000);
    expect(me.terms).toHaveLength(1);
    me.fault = undefined;
    await clock.advance(10_000);
    expect(me.terms).toHaveLength(2);
    me.leadership.assertHeld();
    expect(() => first?.assertHeld()).toThrow(notHeld);
    // An API server that is away is worth one line, not three hundred.
    expect(me.log.filter((line) => line.startsWith("lease could not be taken"))).toHaveLength(1);
  });

  test("is known as lost after a stall of the event loop, before any timer has fired", async () => {
    const { clock, stall, start } = setup();
    const me = start("me");
    await settle(clock);
    stall(10_000);
    expect(me.leadership.signal.aborted).toBe(false);
    expect(me.leadership.remainingMs()).toBe(0);
    expect(() => me.leadership.assertHeld()).toThrow(notHeld);
    expect(me.leadership.signal.aborted).toBe(true);
  });

  test("stolen: at the next renewal", async () => {
    const { clock, api, start } = setup();
    const me = start("me");
    await settle(clock);
    api.put({ ...api.lease, spec: { ...api.lease?.spec, holderIdentity: "thief", leaseTransitions: 7 } });
    await clock.advance(2_000);
    expect(me.leadership.signal.reason).toMatchObject({ message: expect.stringContaining("thief") });
    expect(api.lease?.spec?.holderIdentity).toBe("thief");
    await clock.advance(20_000);
    expect(me.leadership.term).toBe(8);
  });

  test.each(["deleted", "released by another's hand"])("%s: a new term begins", async (how) => {
    const { clock, api, start } = setup();
    const me = start("me");
    await settle(clock);
    if (how === "deleted") api.remove();
    else api.put({ ...api.lease, spec: { ...api.lease?.spec, holderIdentity: "" } });
    await clock.advance(2_000);
    expect(me.terms.map(({ term, signal }) => [term, signal.aborted])).toEqual([
      [0, true],
      [1, false],
    ]);
    await clock.advance(60_000);
    expect(me.terms).toHaveLength(2);
  });

  test("is not stood for again before the work has ended", async () => {
    const { clock, start } = setup();
    let finish = (): void => {};
    const me = start("me", {
      lead: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    await settle(clock);
    me.fault = away;
    await clock.advance(10_000);
    me.fault = undefined;
    await clock.advance(14_999);
    expect(me.terms).toHaveLength(1);
    finish();
    await settle(clock);
    expect(me.terms).toHaveLength(2);
  });

  test("work that fails for it is no failure of the candidacy", async () => {
    const { clock, start } = setup();
    const me = start("me", {
      async lead(leadership) {
        await untilAborted(leadership);
        leadership.assertHeld();
      },
    });
    await settle(clock);
    me.fault = away;
    await clock.advance(10_000);
    me.fault = undefined;
    await clock.advance(10_000);
    expect(me.terms).toHaveLength(2);
  });
});

describe("ReleaseOnCancellation", () => {
  test("the Lease is released once the leader's work has ended, not before", async () => {
    const { clock, api, start } = setup();
    let finish = (): void => {};
    const me = start("me", {
      lead: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    await settle(clock);
    me.stop();
    await clock.advance(5_000);
    expect(me.leadership.signal.reason).toMatchObject({ message: "stopped" });
    // It may finish what it has begun.
    me.leadership.assertHeld();
    expect(api.lease?.spec?.holderIdentity).toBe("me");
    finish();
    expect(await me.done).toBeUndefined();
    expect(api.lease?.spec?.holderIdentity).toBe("");
    expect(() => me.leadership.assertHeld()).toThrow(notHeld);
    expect(clock.pending).toBe(0);
  });

  test("leadership is cleared in memory before the Lease is given back", async () => {
    const { clock, start } = setup();
    const me = start("me");
    await settle(clock);
    const heldWhenAsked: number[] = [];
    me.fault = async (_verb, apply) => {
      heldWhenAsked.push(me.leadership.remainingMs());
      return apply();
    };
    me.stop();
    await me.done;
    expect(heldWhenAsked).toEqual([0, 0]);
  });

  test("the next leader need not wait for the Lease to expire", async () => {
    const { clock, start } = setup();
    const first = start("first");
    await settle(clock);
    const second = start("second");
    await clock.advance(10_000);
    first.stop();
    await first.done;
    await clock.advance(2_000);
    expect(second.leadership.term).toBe(1);
  });

  test("work that does not end leaves the Lease to expire", async () => {
    const { clock, api, start } = setup();
    const me = start("me", { lead: () => new Promise(() => {}), drainMs: 3_000 });
    await settle(clock);
    me.stop();
    await clock.advance(3_000);
    expect(await me.done).toMatchObject({ code: "ERR_KUBE_TIMEOUT" });
    expect(api.lease?.spec?.holderIdentity).toBe("me");
    expect(() => me.leadership.assertHeld()).toThrow(notHeld);
  });

  test("during a renewal that hangs", async () => {
    const { clock, api, start } = setup();
    const me = start("me");
    await settle(clock);
    me.fault = hanging(clock);
    await clock.advance(2_000);
    me.stop();
    me.fault = undefined;
    await me.done;
    expect(api.lease?.spec?.holderIdentity).toBe("");
  });

  test("with the API server away it ends at its deadline", async () => {
    const { clock, start } = setup();
    const me = start("me");
    await settle(clock);
    me.fault = away;
    me.stop();
    for (let i = 0; i < 20; i++) await clock.advance(1_000);
    expect(await me.done).toBeUndefined();
    expect(me.log).toContain("lease not released, it is left to expire");
    expect(clock.pending).toBe(0);
  });

  test("a candidate that never led stops at once and asks nothing more", async () => {
    const { clock, api, start } = setup();
    const first = start("first");
    await settle(clock);
    const second = start("second");
    await clock.advance(1_000);
    const asked = api.requests.length;
    second.stop();
    expect(await second.done).toBeUndefined();
    expect(api.requests).toHaveLength(asked);
    first.leadership.assertHeld();
  });
});
