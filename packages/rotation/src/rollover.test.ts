import { createManualClock, createTestAuthority } from "@newleaf/testing";
import { createTrustBundle, type TrustBundle } from "@newleaf/x509";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deferred, until } from "../test/waiting.ts";
import { type RolloverParticipant, type RolloverPlan, type RolloverRecord, rollTrust } from "./rollover.ts";

const { old, next } = createTestAuthority().roll();
const [oldCa, nextCa] = [old.root.certificate, next.root.certificate];
const before = createTrustBundle([oldCa]);
const after = createTrustBundle([nextCa]);
const QUICK = { baseMs: 1, maxMs: 2 };
const STEPS = ["published", "acknowledged", "switched", "proved", "dropped", "retired"];

describe("steps", () => {
  test("are taken in order, each with its time", async () => {
    const world = createWorld(3);
    const seen: string[] = [];
    const record = await rollTrust(world.plan, {
      onStep: ({ steps }) => void seen.push(Object.keys(steps).join()),
    });
    expect(seen).toEqual(STEPS.map((_, index) => STEPS.slice(0, index + 1).join()));
    expect(record).toMatchObject({
      outcome: "complete",
      before: before.sha256,
      after: after.sha256,
      added: [nextCa.sha256],
      removed: [oldCa.sha256],
    });
    expect(record.reason).toBeUndefined();
    expect(record.participants.map(({ name }) => name)).toEqual(["p0", "p1", "p2"]);
    for (const participant of record.participants) {
      expect(Object.keys(participant)).toEqual(["name", "acknowledgedAt", "switchedAt", "retiredAt"]);
    }
    expect(JSON.parse(JSON.stringify(record)).steps.retired).toBe(record.steps.retired?.toISOString());
  });

  test("leaves are not switched before the last participant trusts both", async () => {
    const slow = deferred<void>();
    const world = createWorld(2);
    const plan: RolloverPlan = {
      ...world.plan,
      participants: () => [...world.participants, { ...trusting("slow"), acknowledged: () => slow.promise }],
    };
    const rolling = rollTrust(plan);
    await until(() => world.members.every(({ trust }) => trust.has(nextCa)));
    expect(world.log).toEqual(["publish both"]);
    slow.resolve();
    expect((await rolling).outcome).toBe("complete");
    expect(world.log).toEqual(["publish both", "switch", "publish after"]);
  });

  test("who joins on the way is waited for, with both before it is with the new", async () => {
    const world = createWorld(1);
    const asked: string[] = [];
    const late: RolloverParticipant = {
      name: "late",
      acknowledged: async (trust) => void asked.push(trust.sha256 === after.sha256 ? "after" : "both"),
      switched: async () => void asked.push("switched"),
    };
    let switched = false;
    const record = await rollTrust({
      ...world.plan,
      switchLeaves: (signal) => {
        switched = true;
        return world.plan.switchLeaves(signal);
      },
      participants: () => (switched ? [...world.participants, late] : world.participants),
    });
    expect(record.outcome).toBe("complete");
    expect(asked).toEqual(["both", "switched", "after"]);
  });

  test("the old authority outlives the longest leaf that nobody answers for", async () => {
    const clock = createManualClock(Date.now());
    const world = createWorld(1);
    const rolling = rollTrust({ ...world.plan, longestLeafMs: 3_600_000 }, { clock, stepTimeoutMs: 60_000 });
    await until(() => world.log.includes("switch") && clock.pending > 0);
    await clock.advance(3_599_999);
    expect(world.log).not.toContain("publish after");
    await clock.advance(1);
    const record = await rolling;
    expect(record.outcome).toBe("complete");
    const [switched, proved] = [record.steps.switched, record.steps.proved].map((at) => at?.getTime() ?? 0);
    expect((proved ?? 0) - (switched ?? 0)).toBe(3_600_000);
  });
});

describe("failures leave old and new trust in place", () => {
  test("a participant that never acknowledges: no leaf is switched, and the reason names it", async () => {
    const clock = createManualClock(Date.now());
    const world = createWorld(1);
    const asked = deferred<void>();
    const stuck: RolloverParticipant = {
      ...trusting("stuck"),
      acknowledged() {
        asked.resolve();
        return new Promise(() => {});
      },
    };
    const rolling = rollTrust(
      { ...world.plan, participants: () => [...world.participants, stuck] },
      { clock, stepTimeoutMs: 60_000 },
    );
    await asked.promise;
    await clock.advance(60_000);
    expect(await rolling).toMatchObject({
      outcome: "failed",
      reason: { step: "acknowledged", message: "not done within 60000 ms, waiting for stuck" },
    });
    expect(world.log).toEqual(["publish both"]);
    expect(world.published.has(oldCa) && world.published.has(nextCa)).toBe(true);
  });

  test("an abort after the switch", async () => {
    const control = new AbortController();
    const world = createWorld(2);
    const record = await rollTrust(world.plan, {
      signal: control.signal,
      onStep: ({ steps }) => {
        if (steps.switched) control.abort(new Error("shutting down"));
      },
    });
    expect(record).toMatchObject({ outcome: "failed", reason: { step: "proved", message: "shutting down" } });
    expect(world.published.has(oldCa) && world.published.has(nextCa)).toBe(true);
  });

  test("what rejects is tried again", async () => {
    const world = createWorld(1);
    let failures = 3;
    const record = await rollTrust(
      {
        ...world.plan,
        publish(trust, signal) {
          if (failures-- > 0) throw new Error("conflict");
          return world.plan.publish(trust, signal);
        },
      },
      { retry: QUICK },
    );
    expect(record.outcome).toBe("complete");
  });

  test("an empty trust after it is refused at once", async () => {
    const world = createWorld(1);
    await expect(rollTrust({ ...world.plan, after: createTrustBundle([]) })).rejects.toMatchObject({
      code: "ERR_ROTATION_OPTIONS",
    });
    expect(world.log).toEqual([]);
  });
});

describe("resuming", () => {
  test("keeps the times of what was done, and does not publish the old trust again once it was dropped", async () => {
    const control = new AbortController();
    const world = createWorld(2);
    const failed = await rollTrust(world.plan, {
      signal: control.signal,
      onStep: ({ steps }) => {
        if (steps.dropped) control.abort(new Error("killed"));
      },
    });
    expect(failed.reason?.step).toBe("retired");
    world.log.length = 0;
    const resume = JSON.parse(JSON.stringify(failed)) as RolloverRecord;
    const record = await rollTrust(world.plan, { resume });
    expect(record.outcome).toBe("complete");
    expect(record.steps.switched).toEqual(failed.steps.switched);
    expect(world.log).toEqual(["publish after"]);
  });

  test("a record of other bundles is refused", async () => {
    const world = createWorld(1);
    const resume = { before: after.sha256, after: before.sha256, steps: {} };
    await expect(rollTrust(world.plan, { resume })).rejects.toMatchObject({ code: "ERR_ROTATION_OPTIONS" });
  });
});

test("property: whatever the order, and wherever it is killed and run again, no valid leaf is ever refused", async () => {
  const turns = fc.array(fc.nat(4), { minLength: 30, maxLength: 30 });
  const kills = fc.array(fc.constantFrom(...STEPS), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), turns, kills, async (size, delays, killedAt) => {
      const world = createWorld(size, delays);
      for (const step of killedAt) {
        const control = new AbortController();
        await rollTrust(world.plan, {
          signal: control.signal,
          retry: QUICK,
          onStep: ({ steps }) => {
            if (Object.keys(steps).at(-1) === step) control.abort(new Error("killed"));
          },
        });
        expect(world.violations).toEqual([]);
      }
      const record = await rollTrust(world.plan, { retry: QUICK });
      expect(record.outcome).toBe("complete");
      expect(world.violations).toEqual([]);
      for (const { trust, leafOf } of world.members) {
        expect(trust.has(oldCa)).toBe(false);
        expect(leafOf).toBe(nextCa);
      }
    }),
    { numRuns: 100 },
  );
});

interface Member {
  trust: TrustBundle;
  leafOf: typeof oldCa;
}

/** Members that take over what is published some turns later, each at its own pace, watched at every change. */
function createWorld(size: number, delays: readonly number[] = [0]) {
  const members: Member[] = Array.from({ length: size }, () => ({ trust: before, leafOf: oldCa }));
  const log: string[] = [];
  const violations: string[] = [];
  let published = before;
  let issuer = oldCa;
  let turn = 0;

  const check = (): void => {
    for (const [a, { leafOf }] of members.entries()) {
      for (const [b, { trust }] of members.entries()) {
        if (!trust.has(leafOf)) violations.push(`p${b} refuses p${a}`);
      }
    }
  };
  const later = async (change: () => void): Promise<void> => {
    const wait = delays[turn++ % delays.length] ?? 0;
    for (let i = 0; i < wait; i++) await new Promise((resolve) => setImmediate(resolve));
    change();
    check();
  };
  const participants = members.map(
    (member, index): RolloverParticipant => ({
      name: `p${index}`,
      acknowledged: (trust, signal) => settledWhen(() => member.trust.sha256 === trust.sha256, signal),
      switched: (trust, signal) => settledWhen(() => trust.has(member.leafOf), signal),
    }),
  );
  const plan: RolloverPlan = {
    before,
    after,
    participants: () => participants,
    publish(trust) {
      log.push(trust.sha256 === after.sha256 ? "publish after" : "publish both");
      published = trust;
      // Not awaited: handing out is not the same as taking over. Who is slow takes over the latest.
      for (const member of members) void later(() => (member.trust = published));
    },
    switchLeaves() {
      log.push("switch");
      issuer = nextCa;
      for (const member of members) void later(() => (member.leafOf = issuer));
    },
  };
  return {
    plan,
    participants,
    members,
    log,
    violations,
    get published() {
      return published;
    },
  };
}

async function settledWhen(condition: () => boolean, signal: AbortSignal): Promise<void> {
  await until(() => {
    signal.throwIfAborted();
    return condition();
  });
}

function trusting(name: string): RolloverParticipant {
  return { name, acknowledged: async () => {}, switched: async () => {} };
}
