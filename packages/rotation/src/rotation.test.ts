import { createManualClock, createTestAuthority } from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import { createRotatingIdentity, type RotatingIdentity } from "../test/rotating-identity.ts";
import { barrier, collect, deferred, until } from "../test/waiting.ts";
import type { Consumer, DrainReport } from "./consumer.ts";
import type { Generation } from "./generation.ts";
import { type Rotation, type RotationOptions, startRotation } from "./rotation.ts";
import { describeRecord } from "./rotation-record.ts";
import type { ServedReport, ServedVerdict } from "./served.ts";

const QUICK: RotationOptions = { retry: { baseMs: 1, maxMs: 5 } };
const NO_CONNECTIONS: DrainReport = { connections: 0, closed: 0, cut: 0 };

describe("stages", () => {
  test("the first generation is a record without anything to drain", async () => {
    await using setup = start([{ name: "a", load: () => {} }]);
    const record = await setup.rotation.whenComplete(1);
    expect(Object.keys(record.stages)).toEqual(["delivered", "verified", "loaded", "served"]);
    expect(record).toMatchObject({ generation: 1, outcome: "complete", failures: 0, identity: "localhost" });
  });

  test("a synchronous consumer has loaded the current generation when startRotation returns", async () => {
    const loaded: number[] = [];
    await using _ = start([{ name: "a", load: (generation) => void loaded.push(generation.number) }]);
    expect(loaded).toEqual([1]);
  });

  test("a new generation goes through every stage, in order, and consumers of a stage run side by side", async () => {
    const log: string[] = [];
    const both = barrier(2);
    const consumer = (name: string): Consumer => ({
      name,
      async load({ number }) {
        log.push(`load ${number}`);
        if (number === 2) await both();
      },
      async prove({ number }) {
        log.push(`prove ${number}`);
        return [report("equal")];
      },
      async drain({ number }) {
        log.push(`drain ${number}`);
        return { connections: 1, closed: 1, cut: 0 };
      },
    });
    await using setup = start([consumer("a"), consumer("b")]);
    await setup.rotation.whenComplete(1);
    log.length = 0;
    setup.identity.rotate();
    const record = await setup.rotation.whenComplete(2);
    expect(log).toEqual(["load 2", "load 2", "prove 2", "prove 2", "drain 2", "drain 2"]);
    expect(Object.keys(record.stages)).toEqual([
      "delivered",
      "verified",
      "loaded",
      "served",
      "drained",
      "retired",
    ]);
    const times = Object.values(record.stages).map((at) => at.getTime());
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(record.consumers.map(({ name, drained }) => [name, drained?.closed])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
  });

  test("a slow drain neither delays the next generation nor is given up for it", async () => {
    const slow = deferred<DrainReport>();
    const drains: number[] = [];
    await using setup = start([
      {
        name: "a",
        load: () => {},
        drain: ({ number }) => {
          drains.push(number);
          return slow.promise;
        },
      },
    ]);
    const ended = collect(setup.rotation);
    setup.identity.rotate();
    await setup.rotation.whenServed(2);
    setup.identity.rotate();
    await setup.rotation.whenServed(3);
    expect(setup.rotation.status()).toMatchObject({ generation: 3, served: 3, draining: 2 });
    slow.resolve(NO_CONNECTIONS);
    await setup.rotation.whenComplete(3);
    expect(drains).toEqual([2, 3]);
    await until(() => ended.length === 3);
    expect(ended.map((record) => [record.generation, record.outcome])).toEqual(
      expect.arrayContaining([
        [2, "complete"],
        [3, "complete"],
      ]),
    );
  });

  test("a rotation ends once, also when a newer one is drained in the same moment", async () => {
    const both = deferred<DrainReport>();
    const setup = start([{ name: "a", load: () => {}, drain: () => both.promise }]);
    const ended = collect(setup.rotation);
    await setup.rotation.whenComplete(1);
    for (const number of [2, 3]) {
      setup.identity.rotate();
      await setup.rotation.whenServed(number);
    }
    both.resolve(NO_CONNECTIONS);
    await setup.rotation.whenComplete(3);
    await setup[Symbol.asyncDispose]();
    expect(ended.map((record) => record.generation)).toEqual([1, 2, 3]);
  });

  test("a drain that hangs is covered by the drain of a newer generation", async () => {
    await using setup = start([
      {
        name: "a",
        load: () => {},
        drain: ({ number }) => (number === 2 ? new Promise(() => {}) : Promise.resolve(NO_CONNECTIONS)),
      },
    ]);
    setup.identity.rotate();
    await setup.rotation.whenServed(2);
    setup.identity.rotate();
    await setup.rotation.whenComplete(3);
    const second = setup.rotation.recent().find((record) => record.generation === 2);
    expect(second).toMatchObject({ outcome: "complete" });
    expect(second?.stages.retired).toBeDefined();
  });

  test("a generation that was not served yet is superseded, its load aborted, and the next one served", async () => {
    const aborted: number[] = [];
    await using setup = start([
      {
        name: "a",
        load: ({ number }, signal) =>
          number !== 2
            ? undefined
            : new Promise((_, reject) => {
                signal.addEventListener("abort", () => {
                  aborted.push(number);
                  reject(signal.reason);
                });
              }),
      },
    ]);
    const ended = collect(setup.rotation);
    await setup.rotation.whenComplete(1);
    const second = setup.identity.rotate();
    await until(() => setup.rotation.current().generation === second.number);
    setup.identity.rotate();
    await setup.rotation.whenComplete(3);
    expect(aborted).toEqual([2]);
    await until(() => ended.length === 3);
    expect(ended.map((record) => [record.generation, record.outcome])).toEqual([
      [1, "complete"],
      [2, "superseded"],
      [3, "complete"],
    ]);
  });

  test("loads of one consumer keep their order when the earlier one is slow to stop", async () => {
    const release = deferred<void>();
    const landed: number[] = [];
    await using setup = start([
      {
        name: "a",
        async load({ number }) {
          if (number === 2) await release.promise;
          landed.push(number);
        },
      },
    ]);
    setup.identity.rotate();
    await until(() => setup.rotation.current().generation === 2);
    setup.identity.rotate();
    await until(() => setup.rotation.current().generation === 3);
    release.resolve();
    await setup.rotation.whenComplete(3);
    expect(landed).toEqual([1, 2, 3]);
  });

  test("a thousand generations in a burst: the last one is served and nothing piles up", async () => {
    await using setup = start([{ name: "a", load: () => {} }], { keep: 10 });
    const own = setup.identity.authority.certificates;
    const both = [...own, ...createTestAuthority().certificates];
    for (let i = 0; i < 1_000; i++) setup.identity.trust(i % 2 ? own : both);
    const last = setup.identity.source.current().number;
    await setup.rotation.whenComplete(last);
    expect(last).toBe(1_001);
    expect(setup.rotation.recent().length).toBeLessThanOrEqual(10);
  });
});

describe("stalls", () => {
  test("a consumer that throws stalls its stage, once, and completes when it succeeds", async () => {
    let failures = 3;
    await using setup = start([
      {
        name: "broken",
        load({ number }) {
          if (number === 2 && failures-- > 0) throw new Error("cannot load");
        },
      },
    ]);
    const ended = collect(setup.rotation);
    const first = await setup.rotation.whenComplete(1);
    setup.identity.rotate();
    const record = await setup.rotation.whenComplete(2);
    await until(() => ended.length === 3);
    expect(ended.map(({ generation, outcome }) => [generation, outcome])).toEqual([
      [1, "complete"],
      [2, "stalled"],
      [2, "complete"],
    ]);
    expect(ended[1]).toMatchObject({
      reason: { code: "load_failed", stage: "loaded", message: "broken: cannot load" },
      stillServed: { sha256: first.sha256, notAfter: first.notAfter },
      consumers: [{ name: "broken", error: "cannot load" }],
    });
    expect(record).toMatchObject({ outcome: "complete", failures: 3 });
    expect(record.reason).toBeUndefined();
    expect(record.consumers[0]?.error).toBeUndefined();
  });

  test("a stage that hangs stalls at its deadline and is tried again", async () => {
    const clock = createManualClock(Date.now());
    let attempts = 0;
    await using setup = start(
      [{ name: "slow", load: () => (++attempts === 1 ? new Promise(() => {}) : undefined) }],
      { clock, stageTimeoutMs: 30_000, retry: { baseMs: 1_000, maxMs: 1_000 } },
    );
    const ended = collect(setup.rotation);
    await clock.advance(30_000);
    await until(() => ended.length === 1);
    expect(ended[0]).toMatchObject({ outcome: "stalled", reason: { code: "load_timeout", stage: "loaded" } });
    expect(setup.rotation.status().stalled?.code).toBe("load_timeout");
    await until(() => clock.pending > 0);
    await clock.advance(1_000);
    // The hanging load gets a moment to stop before the next one is called.
    await until(() => clock.pending > 0);
    await clock.advance(1_000);
    await setup.rotation.whenComplete(1);
    expect(attempts).toBe(2);
    expect(setup.rotation.status().stalled).toBeUndefined();
  });

  test("while another leaf is served the rotation is stalled and names it, and loads again", async () => {
    const loads: number[] = [];
    let reloaded = false;
    const identity = createRotatingIdentity();
    const before = identity.source.current();
    await using setup = start(
      [
        {
          name: "server",
          load({ number }) {
            reloaded = loads.includes(number);
            loads.push(number);
          },
          prove: async ({ number }) => [report(number === 1 || reloaded ? "equal" : "older", before)],
        },
      ],
      QUICK,
      identity,
    );
    const ended = collect(setup.rotation);
    await setup.rotation.whenComplete(1);
    identity.rotate();
    await setup.rotation.whenComplete(2);
    expect(loads).toEqual([1, 2, 2]);
    await until(() => ended.length === 3);
    expect(ended[1]).toMatchObject({
      outcome: "stalled",
      reason: { code: "not_served", stage: "served" },
      stillServed: { sha256: before.leaf.sha256, serialNumber: before.leaf.serialNumber },
    });
  });

  test("an equal leaf whose chain is not trusted does not count as served", async () => {
    let trusted = false;
    const identity = createRotatingIdentity();
    const { leaf } = identity.source.current();
    await using setup = start(
      [
        {
          name: "server",
          load: () => {},
          async prove() {
            const untrusted = {
              ok: false,
              code: "chain_incomplete",
              message: "no",
              certificate: leaf,
            } as const;
            const result = trusted ? report("equal") : { ...report("equal"), trusted: untrusted };
            trusted = true;
            return [result];
          },
        },
      ],
      QUICK,
      identity,
    );
    const ended = collect(setup.rotation);
    await setup.rotation.whenComplete(1);
    await until(() => ended.length === 2);
    expect(ended.map(({ outcome }) => outcome)).toEqual(["stalled", "complete"]);
    expect(ended[0]?.reason?.message).toContain("chain not trusted");
  });

  test("one failing consumer does not hold up the loads of the others", async () => {
    const loaded: number[] = [];
    await using setup = start([
      {
        name: "dead",
        load() {
          throw new Error("no such process");
        },
      },
      { name: "alive", load: ({ number }) => void loaded.push(number) },
    ]);
    setup.identity.rotate();
    await until(() => loaded.includes(2));
    setup.identity.rotate();
    await until(() => loaded.includes(3));
    expect(setup.rotation.status()).toMatchObject({ generation: 3, loaded: undefined });
  });
});

describe("refusals", () => {
  test("a refused update is a record with the reason and what is still served", async () => {
    await using setup = start([{ name: "a", load: () => {} }]);
    const first = await setup.rotation.whenComplete(1);
    const records = setup.rotation.records();
    setup.identity.spoil();
    const { value: record } = await records.next();
    expect(record).toMatchObject({
      outcome: "refused",
      generation: 1,
      reason: { code: "key_mismatch", stage: "verified" },
      stillServed: { sha256: first.sha256 },
    });
    expect(setup.rotation.recent().map(({ outcome }) => outcome)).toEqual(["complete", "refused"]);
    expect(setup.rotation.current().outcome).toBe("complete");
  });
});

describe("lifetime", () => {
  test("whenServed finds a leaf by fingerprint, and rejects when disposed or aborted", async () => {
    const setup = start([{ name: "a", load: () => {} }]);
    const next = setup.identity.rotate();
    expect((await setup.rotation.whenServed(next.leaf.sha256)).generation).toBe(2);
    const control = new AbortController();
    const aborted = setup.rotation.whenServed(99, control.signal);
    control.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    const closed = setup.rotation.whenServed(99);
    const assertion = expect(closed).rejects.toMatchObject({ code: "ERR_ROTATION_CLOSED" });
    await setup[Symbol.asyncDispose]();
    await assertion;
  });

  test("disposal lets a drain finish, ends the readers, and can be repeated", async () => {
    const drain = deferred<DrainReport>();
    const setup = start([{ name: "a", load: () => {}, drain: () => drain.promise }]);
    setup.identity.rotate();
    await setup.rotation.whenServed(2);
    const reader = setup.rotation.records();
    const disposal = setup.rotation[Symbol.asyncDispose]();
    expect(setup.rotation[Symbol.asyncDispose]()).toBe(disposal);
    drain.resolve(NO_CONNECTIONS);
    await disposal;
    expect((await reader.next()).value).toMatchObject({ generation: 2, outcome: "complete" });
    expect((await reader.next()).done).toBe(true);
  });

  test("disposal does not wait longer than it is told for a drain that hangs", async () => {
    const clock = createManualClock(Date.now());
    const setup = start([{ name: "a", load: () => {}, drain: () => new Promise(() => {}) }], {
      clock,
      closeTimeoutMs: 5_000,
    });
    setup.identity.rotate();
    await setup.rotation.whenServed(2);
    const disposal = setup.rotation[Symbol.asyncDispose]();
    await until(() => clock.pending > 0);
    await clock.advance(5_000);
    await disposal;
  });

  test("a record is plain JSON without key material", async () => {
    await using setup = start([{ name: "a", load: () => {}, prove: async () => [report("equal")] }]);
    const record = await setup.rotation.whenComplete(1);
    const text = JSON.stringify(describeRecord(record));
    expect(JSON.parse(text)).toMatchObject({
      outcome: "complete",
      notAfter: record.notAfter.toISOString(),
      stages: { served: record.stages.served?.toISOString() },
      consumers: [{ name: "a", served: [{ target: "tls://test:1", verdict: "equal" }] }],
    });
    expect(text).not.toMatch(/PRIVATE|KeyObject|BEGIN/);
  });
});

function start(
  consumers: readonly Consumer[],
  options: RotationOptions = QUICK,
  identity: RotatingIdentity = createRotatingIdentity(),
): { rotation: Rotation; identity: RotatingIdentity } & AsyncDisposable {
  const rotation = startRotation(identity.source, consumers, options);
  return {
    rotation,
    identity,
    async [Symbol.asyncDispose]() {
      await rotation[Symbol.asyncDispose]();
      await identity.source[Symbol.asyncDispose]();
    },
  };
}

function report(verdict: ServedVerdict, served?: Generation): ServedReport {
  return {
    target: "tls://test:1",
    verdict,
    durationMs: 1,
    ...(served ? { served: { leaf: served.leaf, chain: [], protocol: "TLSv1.3" } } : {}),
  };
}
