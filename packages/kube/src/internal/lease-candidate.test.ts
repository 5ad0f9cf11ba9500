import { createManualClock, type ManualClock } from "@newleaf/testing";
import type { Lease, LeaseSpec } from "kubernetes-types/coordination/v1.js";
import { describe, expect, test } from "vitest";
import { createMemoryLeases, type Intercept, type MemoryLeases, refused } from "../../test/memory-leases.ts";
import { silentLogger } from "../logger.ts";
import { createLeaseCandidate, type LeaseCandidate } from "./lease-candidate.ts";

const never = new AbortController().signal;

interface Setup {
  readonly clock: ManualClock;
  readonly api: MemoryLeases;
  readonly leaders: string[];
  candidate(identity: string, intercept?: Intercept): LeaseCandidate;
}

function setup(): Setup {
  const clock = createManualClock();
  const api = createMemoryLeases();
  const leaders: string[] = [];
  return {
    clock,
    api,
    leaders,
    candidate: (identity, intercept) =>
      createLeaseCandidate({
        leases: api.client(intercept),
        name: "lock",
        namespace: "default",
        identity,
        leaseDurationMs: 15_000,
        requestTimeoutMs: 5_000,
        clock,
        logger: silentLogger,
        random: () => 0.5,
        onNewLeader: (holder) => leaders.push(holder),
      }),
  };
}

function lease(spec: LeaseSpec, annotations?: Record<string, string>): Lease {
  return { metadata: { name: "lock", namespace: "default", ...(annotations && { annotations }) }, spec };
}

const heldByOther: LeaseSpec = {
  holderIdentity: "other",
  leaseDurationSeconds: 15,
  acquireTime: "2001-01-01T00:00:00.000000Z",
  renewTime: "2001-01-01T00:00:00.000000Z",
  leaseTransitions: 4,
};

describe("TryAcquireOrRenew", () => {
  test("acquire from no object", async () => {
    const { api, candidate, leaders, clock } = setup();
    const attempt = await candidate("me").tryAcquireOrRenew(never);
    expect(attempt).toEqual({ outcome: "held", sentAt: clock.monotonic(), term: 0 });
    expect(api.lease).toMatchObject({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "lock", namespace: "default" },
      spec: {
        holderIdentity: "me",
        leaseDurationSeconds: 15,
        acquireTime: "2030-01-01T00:00:00.000000Z",
        renewTime: "2030-01-01T00:00:00.000000Z",
        leaseTransitions: 0,
      },
    });
    expect(leaders).toEqual(["me"]);
  });

  test("acquire from an object nobody has led, whatever else is in it", async () => {
    const { api, candidate } = setup();
    api.put(lease({}, { "example.com/cert-hash": "abc" }));
    expect(await candidate("me").tryAcquireOrRenew(never)).toMatchObject({ outcome: "held", term: 1 });
    expect(api.lease?.metadata?.annotations).toEqual({ "example.com/cert-hash": "abc" });
  });

  test("acquire from an object released by its holder, without waiting", async () => {
    const { api, candidate } = setup();
    api.put(lease({ ...heldByOther, holderIdentity: "" }));
    expect(await candidate("me").tryAcquireOrRenew(never)).toMatchObject({ outcome: "held", term: 5 });
  });

  test("don't acquire from a led object, however old its times are", async () => {
    const { api, candidate } = setup();
    api.put(lease(heldByOther));
    expect(await candidate("me").tryAcquireOrRenew(never)).toEqual({ outcome: "taken", holder: "other" });
    expect(api.requests).toEqual(["get"]);
  });

  test("acquire once the record has not been seen to change for its own duration", async () => {
    const { api, candidate, clock, leaders } = setup();
    api.put(lease({ ...heldByOther, leaseDurationSeconds: 60 }));
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    await clock.advance(59_999);
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "taken" });
    await clock.advance(1);
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "held", term: 5 });
    expect(leaders).toEqual(["other", "me"]);
    expect(api.lease?.spec?.leaseDurationSeconds).toBe(15);
  });

  test("a record that changes starts the wait again; annotations and the wall clock do not matter", async () => {
    const { api, candidate, clock } = setup();
    api.put(lease(heldByOther));
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    await clock.advance(10_000);
    api.put(lease({ ...heldByOther, renewTime: "2001-01-01T00:00:00.000001Z" }));
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "taken" });
    clock.step(3_600_000);
    await clock.advance(14_999);
    api.put(
      lease({ ...heldByOther, renewTime: "2001-01-01T00:00:00.000001Z" }, { "example.com/touched": "yes" }),
    );
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "taken" });
    await clock.advance(1);
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "held" });
  });

  test("a record without a duration lasts as long as one of ours", async () => {
    const { api, candidate, clock } = setup();
    api.put(lease({ holderIdentity: "other" }));
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    await clock.advance(14_999);
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "taken" });
    await clock.advance(1);
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "held" });
  });

  test("renew an already acquired object: same term, same acquire time, other fields kept", async () => {
    const { api, candidate, clock } = setup();
    const spec = {
      ...heldByOther,
      holderIdentity: "me",
      strategy: "OldestEmulationVersion",
      preferredHolder: "x",
    };
    api.put(lease(spec, { "example.com/cert-hash": "abc" }));
    const me = candidate("me");
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "held", term: 4 });
    await clock.advance(2_000);
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "held", sentAt: 2_000, term: 4 });
    expect(api.lease?.spec).toEqual({ ...spec, renewTime: "2030-01-01T00:00:02.000000Z" });
    expect(api.lease?.metadata?.annotations).toEqual({ "example.com/cert-hash": "abc" });
  });

  test("a renewal is a change to others even when the wall clock stands still", async () => {
    const { api, candidate } = setup();
    const me = candidate("me");
    const versions = new Set<string | undefined>();
    for (let i = 0; i < 3; i++) {
      await me.tryAcquireOrRenew(never);
      versions.add(api.lease?.metadata?.resourceVersion);
    }
    expect(versions.size).toBe(3);
  });

  test("of two that claim at once, one has it and the other's write fails", async () => {
    const { api, candidate } = setup();
    api.put(lease({ ...heldByOther, holderIdentity: "" }));
    const attempts = await Promise.all(
      ["a", "b"].map((identity) => candidate(identity).tryAcquireOrRenew(never)),
    );
    expect(attempts.map(({ outcome }) => outcome).sort()).toEqual(["failed", "held"]);
  });

  test("a deleted object is not free to who saw its holder, and its terms go on", async () => {
    const { api, candidate, clock } = setup();
    api.put(lease(heldByOther));
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    api.remove();
    await clock.advance(14_999);
    expect(await me.tryAcquireOrRenew(never)).toEqual({ outcome: "taken", holder: "other" });
    await clock.advance(1);
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "held", term: 5 });
  });

  test("a refusal and a failure are reasons, not errors", async () => {
    const { candidate } = setup();
    const forbidden = candidate("me", async () => refused(403, "Forbidden"));
    expect(await forbidden.tryAcquireOrRenew(never)).toEqual({
      outcome: "failed",
      reason: 'leases "lock": Forbidden (403 Forbidden)',
    });
    const broken = candidate("me", () => Promise.reject(new Error("reset")));
    expect(await broken.tryAcquireOrRenew(never)).toEqual({ outcome: "failed", reason: "Error: reset" });
  });
});

describe("FastPath", () => {
  test("the holder renews with one update and no get", async () => {
    const { api, candidate } = setup();
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    await me.tryAcquireOrRenew(never);
    await me.tryAcquireOrRenew(never);
    expect(api.requests).toEqual(["get", "create", "update", "update"]);
  });

  test("an update that conflicts is followed by get and update", async () => {
    const { api, candidate } = setup();
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    api.put(lease(api.lease?.spec ?? {}, { "example.com/cert-hash": "abc" }));
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "held", term: 0 });
    expect(api.requests).toEqual(["get", "create", "update", "get", "update"]);
    expect(api.lease?.metadata?.annotations).toEqual({ "example.com/cert-hash": "abc" });
  });

  test("an update that conflicts with a new holder is not tried again", async () => {
    const { api, candidate } = setup();
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    api.put(lease(heldByOther));
    expect(await me.tryAcquireOrRenew(never)).toEqual({ outcome: "taken", holder: "other" });
    expect(api.lease?.spec).toEqual(heldByOther);
  });

  test("what was not renewed in time is read before it is claimed", async () => {
    const { api, candidate, clock } = setup();
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    await clock.advance(15_000);
    await me.tryAcquireOrRenew(never);
    expect(api.requests).toEqual(["get", "create", "get", "update"]);
  });
});

describe("ReleaseLease", () => {
  test("an empty holder for one second, with the rest kept", async () => {
    const { api, candidate, clock, leaders } = setup();
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    api.put(lease({ ...api.lease?.spec, leaseTransitions: 3 }, { "example.com/cert-hash": "abc" }));
    await clock.advance(1_000);
    expect(await me.release(never)).toBe(true);
    expect(api.lease?.spec).toEqual({
      holderIdentity: "",
      leaseDurationSeconds: 1,
      acquireTime: "2030-01-01T00:00:01.000000Z",
      renewTime: "2030-01-01T00:00:01.000000Z",
      leaseTransitions: 3,
    });
    expect(api.lease?.metadata?.annotations).toEqual({ "example.com/cert-hash": "abc" });
    expect(api.requests.slice(-2)).toEqual(["get", "update"]);
    expect(leaders).toEqual(["me", ""]);
  });

  test("what another holds, or was deleted, is left alone", async () => {
    const { api, candidate } = setup();
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    api.put(lease(heldByOther));
    expect(await me.release(never)).toBe(true);
    expect(api.lease?.spec).toEqual(heldByOther);

    const again = setup();
    const deleted = again.candidate("me");
    await deleted.tryAcquireOrRenew(never);
    again.api.remove();
    expect(await deleted.release(never)).toBe(true);
    expect(again.api.lease).toBeUndefined();
  });

  test("who never claimed it asks nothing", async () => {
    const { api, candidate } = setup();
    api.put(lease(heldByOther));
    const me = candidate("me");
    await me.tryAcquireOrRenew(never);
    expect(await me.release(never)).toBe(true);
    expect(api.requests).toEqual(["get"]);
  });

  test("a claim whose answer was lost is released too", async () => {
    const { api, candidate } = setup();
    const me = candidate("me", async (verb, apply) => {
      const answer = apply();
      if (verb === "create") throw new Error("reset");
      return answer;
    });
    expect(await me.tryAcquireOrRenew(never)).toMatchObject({ outcome: "failed" });
    expect(api.lease?.spec?.holderIdentity).toBe("me");
    expect(await me.release(never)).toBe(true);
    expect(api.lease?.spec?.holderIdentity).toBe("");
  });
});

describe("ReleaseRetriesOnConflict", () => {
  test("reads again and writes what is there now", async () => {
    const { api, candidate, clock } = setup();
    let conflicts = 0;
    const me = candidate("me", async (verb, apply) => {
      const isRelease = verb === "update";
      if (isRelease && conflicts < 2) {
        conflicts++;
        api.put(lease(api.lease?.spec ?? {}, { "example.com/edit": String(conflicts) }));
      }
      return apply();
    });
    await me.tryAcquireOrRenew(never);
    const releasing = me.release(never);
    // Each attempt begins a wait only once the one before has failed.
    for (let i = 0; i < 3; i++) await clock.advance(100);
    expect(await releasing).toBe(true);
    expect(api.lease?.spec?.holderIdentity).toBe("");
    expect(api.lease?.metadata?.annotations).toEqual({ "example.com/edit": "2" });
    expect(api.requests).toEqual(["get", "create", "get", "update", "get", "update", "get", "update"]);
  });

  test("until the signal", async () => {
    const { api, candidate, clock } = setup();
    const me = candidate("me", async (verb, apply) =>
      verb === "update" ? refused(409, "Conflict") : apply(),
    );
    await me.tryAcquireOrRenew(never);
    const tooLate = new AbortController();
    const releasing = me.release(tooLate.signal);
    await clock.advance(5_000);
    tooLate.abort();
    expect(await releasing).toBe(false);
    expect(api.lease?.spec?.holderIdentity).toBe("me");
  });
});
