import { createManualClock, type ManualClock } from "@newleaf/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  added,
  bookmark,
  deleted,
  expired,
  failed,
  internalError,
  modified,
  pod,
  reset,
  type ScriptedSource,
  scriptedSource,
  status,
  tooLarge,
  tooManyRequests,
  unreachable,
} from "../test/scripted-source.ts";
import { type KubeObject, objectKey } from "./kube-object.ts";
import { createReflector, type Reflector, type ReflectorOptions } from "./reflector.ts";

interface Followed {
  readonly clock: ManualClock;
  readonly reflector: Reflector;
  readonly objects: Map<string, KubeObject>;
  readonly calls: string[];
  /** Name to resource version. */
  known(): Record<string, string | undefined>;
}

/** A reflector of the source with a store that is a map, once it has nothing left to do at once. */
async function follow(
  source: ScriptedSource,
  options: Partial<ReflectorOptions<KubeObject>> & { readonly clock?: ManualClock } = {},
): Promise<Followed> {
  const clock = options.clock ?? createManualClock();
  const calls: string[] = [];
  const objects = new Map<string, KubeObject>();
  const put = (object: KubeObject): void => void objects.set(objectKey(object), object);
  const reflector = createReflector({
    source,
    random: () => 0,
    ...options,
    clock,
    store: {
      replace(all, resourceVersion) {
        calls.push(`replace ${resourceVersion}`);
        objects.clear();
        for (const [key, object] of all) objects.set(key, object);
      },
      add: put,
      update: put,
      delete: (object) => void objects.delete(objectKey(object)),
      bookmark: (resourceVersion) => void calls.push(`bookmark ${resourceVersion}`),
    },
  });
  onTestFinished(() => reflector[Symbol.asyncDispose]());
  await pass(clock, 0);
  const known = (): Record<string, string | undefined> =>
    Object.fromEntries(
      Array.from(objects.values(), ({ metadata }) => [metadata?.name ?? "", metadata?.resourceVersion]),
    );
  return { clock, reflector, objects, calls, known };
}

/** What has been sent is taken first, and then time passes. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  await clock.advance(0);
  await clock.advance(ms);
}

const versions = (source: ScriptedSource): (string | undefined)[] =>
  source.lists.map(({ resourceVersion }) => resourceVersion);

describe("reflector_test.go", () => {
  test("TestRunUntil: disposing ends the watch and nothing is asked for afterwards", async () => {
    const source = scriptedSource();
    const { clock, reflector } = await follow(source);
    expect(source.open).toHaveLength(1);
    await reflector[Symbol.asyncDispose]();
    expect(source.open).toHaveLength(0);
    await pass(clock, 3_600_000);
    expect([source.lists.length, source.watches.length, clock.pending]).toEqual([1, 1, 0]);
  });

  test("TestReflectorWatchStoppedBefore: with a signal that aborted before, nothing is asked for", async () => {
    const source = scriptedSource();
    const { reflector } = await follow(source, { signal: AbortSignal.abort() });
    await reflector[Symbol.asyncDispose]();
    expect([source.lists.length, source.watches.length]).toEqual([0, 0]);
  });

  test("TestReflectorWatchStoppedAfter: aborted while the watch is being opened, it is not opened", async () => {
    const source = scriptedSource();
    source.onWatch = () => new Promise(() => {});
    const stop = new AbortController();
    const { clock, reflector } = await follow(source, { signal: stop.signal });
    stop.abort();
    await reflector[Symbol.asyncDispose]();
    await pass(clock, 3_600_000);
    expect([source.watches.length, source.open.length]).toEqual([1, 0]);
  });

  test("TestReflectorHandleWatchStoppedBefore: stopped during the list, no watch is opened", async () => {
    const source = scriptedSource();
    source.onList = () => new Promise(() => {});
    const { clock, reflector, calls } = await follow(source);
    await reflector[Symbol.asyncDispose]();
    await pass(clock, 3_600_000);
    expect([source.lists.length, source.watches.length, calls.length]).toEqual([1, 0, 0]);
  });

  test("TestReflectorHandleWatchStoppedAfter: events that come with the stop are not stored", async () => {
    const source = scriptedSource();
    const { reflector, known } = await follow(source);
    source.open[0]!.send(added(pod("late", "2")));
    await reflector[Symbol.asyncDispose]();
    expect(known()).toEqual({});
  });

  test("TestReflectorHandleWatchResultChanClosedBefore: a watch that ends at once counts as an error", async () => {
    const source = scriptedSource();
    const { clock } = await follow(source);
    source.open[0]!.end();
    await pass(clock, 799);
    expect(source.watches).toHaveLength(1);
    await pass(clock, 1);
    expect([source.watches.length, source.lists.length]).toEqual([2, 1]);
  });

  test("TestReflectorHandleWatchResultChanClosedAfter: a watch that brought something is opened anew at once", async () => {
    const source = scriptedSource();
    const { clock } = await follow(source);
    source.open[0]!.send(added(pod("a", "2")));
    source.open[0]!.end();
    await pass(clock, 0);
    expect(source.watches.map(({ options }) => options.resourceVersion)).toEqual(["1", "2"]);
  });

  test("TestReflectorWatchHandler: events change the store and lead the resource version", async () => {
    const source = scriptedSource([pod("foo", "1"), pod("bar", "2"), pod("qux", "3")], "3");
    const { clock, reflector, known } = await follow(source);
    source.open[0]!.send(modified(pod("bar", "4")), added(pod("baz", "5")), deleted(pod("qux", "6")));
    await pass(clock, 0);
    expect(known()).toEqual({ foo: "1", bar: "4", baz: "5" });
    expect(reflector.freshness()).toMatchObject({ synced: true, watching: true, resourceVersion: "6" });
  });

  test("TestReflectorStopWatch: three watches in a row that end at once bring a list", async () => {
    const source = scriptedSource();
    const { clock } = await follow(source);
    for (const waitMs of [800, 1_600, 3_200]) {
      expect(source.lists).toHaveLength(1);
      source.open[0]!.end();
      await pass(clock, waitMs);
    }
    expect(versions(source)).toEqual(["0", "1"]);
  });

  test("TestReflectorListAndWatch: the watch goes on from the list, with bookmarks and a time limit", async () => {
    const source = scriptedSource([pod("a", "4")], "5");
    await follow(source, { random: () => 0.5, labelSelector: "app=a", fieldSelector: "metadata.name=a" });
    const selectors = { labelSelector: "app=a", fieldSelector: "metadata.name=a" };
    expect(source.lists[0]).toMatchObject({ resourceVersion: "0", limit: 500, ...selectors });
    expect(source.watches[0]!.options).toMatchObject({
      resourceVersion: "5",
      allowWatchBookmarks: true,
      timeoutSeconds: 450,
      ...selectors,
    });
    expect(source.watches[0]!.options.sendInitialEvents).toBeUndefined();
  });

  test("TestReflectorListAndWatchWithErrors: no list error and no watch error ends it", async () => {
    const source = scriptedSource();
    const lists = [
      unreachable(),
      internalError,
      new TypeError("a list error"),
      { resourceVersion: "1" },
      { resourceVersion: "5", items: [pod("bar", "3"), pod("qux", "5")] },
    ];
    source.onList = (_, count) => lists[count - 1]!;
    source.onWatch = (_, count) => (count === 1 ? status(403, "Forbidden") : undefined);
    const { clock, reflector, known } = await follow(source);
    await pass(clock, 800 + 1_600 + 3_200);
    expect(reflector.stats()).toMatchObject({ lists: 4, listFailures: 3, watches: 1, watchFailures: 1 });
    await pass(clock, 6_400);
    expect(known()).toEqual({ bar: "3", qux: "5" });
    source.open[0]!.send(added(pod("baz", "6")));
    await pass(clock, 0);
    expect(known()).toEqual({ bar: "3", qux: "5", baz: "6" });
  });

  test("TestReflectorListAndWatchInitConnBackoff: refused connections are tried again in growing waits, without a list", async () => {
    const source = scriptedSource();
    source.onWatch = (_, count) => (count <= 8 ? unreachable() : undefined);
    const { clock } = await follow(source);
    const waits: number[] = [];
    let last = clock.monotonic();
    while (source.open.length === 0) {
      const before = source.watches.length;
      while (source.watches.length === before) await pass(clock, 100);
      waits.push(clock.monotonic() - last);
      last = clock.monotonic();
    }
    expect(waits).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
    expect(source.lists).toHaveLength(1);
  });

  test("TestBackoffOnTooManyRequests: 429 is waited out, as an answer and as an event, and Retry-After with it", async () => {
    const source = scriptedSource();
    source.onWatch = (_, count) => (count === 1 ? tooManyRequests : undefined);
    const { clock } = await follow(source);
    await pass(clock, 5_799);
    expect(source.watches).toHaveLength(1);
    await pass(clock, 1);
    expect(source.watches).toHaveLength(2);
    source.open[0]!.send(failed(tooManyRequests));
    await pass(clock, 6_599);
    expect(source.watches).toHaveLength(2);
    await pass(clock, 1);
    expect([source.watches.length, source.lists.length]).toEqual([3, 1]);
  });

  test("TestNoRelistOnTooManyRequests: five 429 in a row and no list", async () => {
    const source = scriptedSource();
    source.onWatch = (_, count) => (count < 5 ? tooManyRequests : undefined);
    const { clock } = await follow(source);
    await pass(clock, 60_000);
    expect([source.watches.length, source.lists.length]).toEqual([5, 1]);
  });

  test("TestRetryInternalError: retries off", async () => {
    const source = scriptedSource();
    const { clock } = await follow(source, { internalErrorRetryMs: 0 });
    source.open[0]!.send(failed(internalError));
    await pass(clock, 800);
    expect([source.watches.length, source.lists.length]).toEqual([2, 2]);
  });

  test("TestRetryInternalError: retries on, all calls fail, until the deadline", async () => {
    const source = scriptedSource();
    const { clock } = await follow(source, { internalErrorRetryMs: 30_000 });
    while (source.lists.length === 1) {
      source.open[0]?.send(failed(internalError));
      await pass(clock, 200);
    }
    // 0.8 + 1.6 + 3.2 + 6.4 + 12.8 + 25.6, and 30 before the list
    expect(Math.floor(clock.monotonic() / 1000)).toBe(80);
    expect(source.watches.length - source.open.length).toBe(7);
  });

  test("TestReflectorResync: the same state again changes nothing but the version", async () => {
    const source = scriptedSource([pod("a", "1")], "5");
    const { clock, calls, known } = await follow(source);
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect([calls, known()]).toEqual([["replace 5", "replace 5"], { a: "1" }]);
  });

  test("TestReflectorWatchListPageSize: pages of the size that was asked for", async () => {
    const pods = Array.from({ length: 10 }, (_, i) => pod(`pod-${i}`, String(i)));
    const source = scriptedSource();
    source.onList = (options) => {
      if (options.continue === undefined) {
        return { resourceVersion: "10", continue: "C1", items: pods.slice(0, 4) };
      }
      return options.continue === "C1"
        ? { resourceVersion: "10", continue: "C2", items: pods.slice(4, 8) }
        : { resourceVersion: "10", items: pods.slice(8) };
    };
    const { objects } = await follow(source, { pageSize: 4, labelSelector: "app" });
    expect(objects.size).toBe(10);
    expect(source.lists.map(({ limit }) => limit)).toEqual([4, 4, 4]);
    expect(source.lists.map(({ labelSelector }) => labelSelector)).toEqual(["app", "app", "app"]);
    expect(versions(source)).toEqual(["0", undefined, undefined]);
  });

  test("TestReflectorNotPaginatingNotConsistentReads: a list at a version is asked for without pages", async () => {
    const source = scriptedSource([], "10");
    const { clock } = await follow(source);
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(source.lists.map(({ resourceVersion, limit }) => [resourceVersion, limit])).toEqual([
      ["0", 500],
      ["10", undefined],
    ]);
  });

  test("TestReflectorPaginatingNonConsistentReadsIfWatchCacheDisabled: who answers 0 in pages is asked for pages again", async () => {
    const source = scriptedSource();
    source.onList = (options) =>
      options.continue === undefined
        ? { resourceVersion: "10", continue: "C1", items: [pod("a", "1")] }
        : { resourceVersion: "10", items: [pod("b", "2")] };
    const { clock, known } = await follow(source);
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(source.lists.map(({ limit }) => limit)).toEqual([500, 500, 500, 500]);
    expect(known()).toEqual({ a: "1", b: "2" });
  });

  test("pages of a list at a version may be newer, so that one at which no watch begins is left behind", async () => {
    let newest = "10";
    const source = scriptedSource();
    source.onList = ({ resourceVersion = "", resourceVersionMatch, limit }) => {
      const exact = resourceVersion !== "0" && limit !== undefined && resourceVersionMatch === undefined;
      return { resourceVersion: exact ? resourceVersion : newest };
    };
    const { clock } = await follow(source, { pageSize: 4 });
    newest = "12";
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(versions(source)).toEqual(["0", "10"]);
    expect(source.watches.map(({ options }) => options.resourceVersion)).toEqual(["10", "12"]);
  });

  test("TestReflectorResyncWithResourceVersion: the first list is at 0, the next where it had come to", async () => {
    const source = scriptedSource([], "10");
    const { clock } = await follow(source);
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(versions(source)).toEqual(["0", "10"]);
  });

  test("TestReflectorExpiredExactResourceVersion: an expired list is asked for at once at the newest", async () => {
    const source = scriptedSource();
    source.onList = ({ resourceVersion }) =>
      resourceVersion === "10" ? expired : { resourceVersion: resourceVersion === "0" ? "10" : "11" };
    const { clock, calls } = await follow(source);
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(versions(source)).toEqual(["0", "10", ""]);
    expect(calls).toEqual(["replace 10", "replace 11"]);
    source.open[0]!.send(failed(expired));
    await pass(clock, 1_600);
    expect(versions(source)).toEqual(["0", "10", "", "11"]);
  });

  test("TestReflectorFullListIfExpired: an expired page makes it ask for all in one", async () => {
    const source = scriptedSource();
    source.onList = ({ resourceVersion, continue: token, limit }) => {
      if (resourceVersion === "0") return { resourceVersion: "10", items: [pod("a", "1")] };
      if (token !== undefined) return expired;
      return limit === undefined
        ? { resourceVersion: "11", items: [pod("a", "1"), pod("b", "11")] }
        : { resourceVersion: "11", continue: "C1", items: [pod("gone", "2")] };
    };
    const { clock, known } = await follow(source, { pageSize: 4 });
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(source.lists.map((asked) => [asked.resourceVersion, asked.continue, asked.limit])).toEqual([
      ["0", undefined, 4],
      ["10", undefined, 4],
      [undefined, "C1", 4],
      ["10", undefined, undefined],
    ]);
    expect(known()).toEqual({ a: "1", b: "11" });
  });

  test.each([
    ["cause", tooLarge],
    [
      "cause of 1.17",
      status(504, "Timeout", { details: { causes: [{ message: "Too large resource version" }] } }),
    ],
    ["message", status(504, "Timeout", { message: "Too large resource version: 20, current: 10" })],
  ])(
    "TestReflectorFullListIfTooLarge: told by its %s, the newest is asked for at once",
    async (_, refusal) => {
      const source = scriptedSource();
      source.onList = ({ resourceVersion }) =>
        resourceVersion === "20" ? refusal : { resourceVersion: resourceVersion === "0" ? "20" : "10" };
      const { clock, reflector } = await follow(source);
      source.open[0]!.send(failed(expired));
      await pass(clock, 800);
      expect(versions(source)).toEqual(["0", "20", ""]);
      // A server that was restored is behind what we knew, and what it has is what counts.
      expect(reflector.freshness().resourceVersion).toBe("10");
    },
  );

  test("TestWatchTimeout: a watch that its server does not end is dropped a little after it should have ended", async () => {
    const source = scriptedSource();
    const { clock } = await follow(source, { silenceMs: 3_600_000 });
    await pass(clock, 309_999);
    expect(source.watches).toHaveLength(1);
    await pass(clock, 1);
    expect([source.watches.length, source.open.length, source.lists.length]).toEqual([2, 1, 1]);
  });

  test("TestWatchTimeout: a watch that is not accepted in time is asked for again", async () => {
    const source = scriptedSource();
    source.onWatch = (_, count) => (count === 1 ? new Promise(() => {}) : undefined);
    const { clock, reflector } = await follow(source);
    await pass(clock, 30_800);
    expect([source.open.length, source.watches.length, source.lists.length]).toEqual([1, 2, 1]);
    expect(reflector.stats().watchFailures).toBe(1);
  });

  test("TestReflectorResourceVersionUpdate: events and bookmarks lead it, and an old event never back", async () => {
    const source = scriptedSource();
    const { clock, reflector, calls } = await follow(source);
    const at = async (
      ...events: Parameters<(typeof source.open)[0]["send"]>
    ): Promise<string | undefined> => {
      source.open[0]!.send(...events);
      await pass(clock, 0);
      return reflector.freshness().resourceVersion;
    };
    expect(await at(added(pod("a", "9")))).toBe("9");
    expect(await at(modified(pod("a", "10")))).toBe("10");
    expect(await at(deleted(pod("a", "20")))).toBe("20");
    expect(await at(bookmark("40"))).toBe("40");
    expect(await at(modified(pod("b", "8")))).toBe("40");
    expect(calls.at(-1)).toBe("bookmark 40");
  });

  test("TestReflectorListExtract: more objects than a call takes arguments", async () => {
    const source = scriptedSource();
    const items = Array.from({ length: 130_000 }, (_, i) => ({ metadata: { name: `pod-${i}` } }));
    source.onList = () => ({ resourceVersion: "1", items });
    const { clock, objects } = await follow(source);
    while (objects.size === 0) await pass(clock, 0);
    expect(objects.size).toBe(130_000);
  });

  test("TestReflectorRespectStoreTransformer: what is stored has gone through the transform, from lists and watches", async () => {
    const source = scriptedSource([pod("a", "1"), pod("bad", "1")], "1");
    const { clock, objects, reflector } = await follow(source, {
      transform: (object) => {
        if (object.metadata?.name === "bad") throw new Error("cannot be transformed");
        return { metadata: { ...object.metadata, annotations: { seen: "yes" } } };
      },
    });
    source.open[0]!.send(added(pod("b", "2")), modified(pod("bad", "3")), deleted(pod("a", "4")));
    await pass(clock, 0);
    expect(Array.from(objects.values(), ({ metadata }) => [metadata?.name, metadata?.annotations])).toEqual([
      ["b", { seen: "yes" }],
    ]);
    expect(reflector.stats().transformErrors).toBe(2);
    expect(reflector.freshness().resourceVersion).toBe("4");
  });

  test("TestReflectorRespectStoreTransformer: by default managedFields and the last applied configuration go", async () => {
    const object = pod("a", "1");
    object.metadata!.managedFields = [{ manager: "kubectl" }];
    object.metadata!.annotations = {
      "kubectl.kubernetes.io/last-applied-configuration": "{}",
      kept: "yes",
    };
    const { objects } = await follow(scriptedSource([object]));
    const { metadata } = objects.get("shop/a")!;
    expect([metadata?.managedFields, metadata?.annotations]).toEqual([undefined, { kept: "yes" }]);
  });
});

describe("watches that are lost or expire", () => {
  test("a reset between events is followed by a watch from the last one, without a list", async () => {
    const source = scriptedSource();
    const { clock, known } = await follow(source);
    source.open[0]!.send(added(pod("a", "2")));
    source.open[0]!.end(reset());
    await pass(clock, 0);
    source.open[0]!.send(added(pod("b", "3")));
    await pass(clock, 0);
    expect(source.watches[1]!.options.resourceVersion).toBe("2");
    expect([known(), source.lists.length]).toEqual([{ a: "2", b: "3" }, 1]);
  });

  test("410 as the answer to a watch brings a list, after a wait that is random", async () => {
    const source = scriptedSource();
    source.onWatch = (_, count) => (count === 1 ? expired : undefined);
    const { clock } = await follow(source, { random: () => 0.75 });
    await pass(clock, 1_399);
    expect(source.lists).toHaveLength(1);
    await pass(clock, 1);
    expect([source.lists.length, source.open.length]).toEqual([2, 1]);
  });

  test("410 again and again brings lists further and further apart", async () => {
    const source = scriptedSource();
    source.onWatch = () => expired;
    const { clock, reflector } = await follow(source);
    await pass(clock, 600_000);
    expect(source.lists.length).toBeLessThan(27);
    expect(reflector.stats().expired).toBe(source.watches.length);
  });

  test("a watch at a version that the server has not reached brings a list of the newest", async () => {
    const source = scriptedSource();
    source.onWatch = (_, count) => (count === 1 ? tooLarge : undefined);
    const { clock } = await follow(source);
    await pass(clock, 800);
    expect(versions(source)).toEqual(["0", ""]);
  });

  test("without bookmarks for a while a watch is opened anew where the last bookmark was, later each time", async () => {
    const source = scriptedSource();
    const { clock, reflector } = await follow(source);
    source.open[0]!.send(bookmark("7"));
    await pass(clock, 150_000);
    expect(source.watches.map(({ options }) => options.resourceVersion)).toEqual(["1", "7"]);
    await pass(clock, 299_999);
    expect(source.watches).toHaveLength(2);
    await pass(clock, 1);
    expect([source.watches.length, source.lists.length]).toEqual([3, 1]);
    expect(reflector.stats().silentWatches).toBe(2);
    source.open[0]!.send(bookmark("8"));
    await pass(clock, 150_000);
    source.open[0]!.send(bookmark("9"));
    await pass(clock, 150_000);
    expect(source.watches.at(-1)!.options.resourceVersion).toBe("9");
  });

  test("two minutes without a failure and the waits begin anew", async () => {
    const source = scriptedSource();
    const { clock } = await follow(source);
    source.onWatch = (_, count) => (count < 4 ? unreachable() : undefined);
    source.open[0]!.end();
    await pass(clock, 800 + 1_600 + 3_200);
    expect(source.open).toHaveLength(1);
    await pass(clock, 120_001);
    source.open[0]!.send(failed(tooManyRequests));
    await pass(clock, 5_800);
    expect(source.watches).toHaveLength(5);
  });

  test("freshness ages from the last list, event or bookmark", async () => {
    const source = scriptedSource();
    source.onList = (_, count) => (count === 1 ? unreachable() : { resourceVersion: "1" });
    const { clock, reflector } = await follow(source);
    expect(reflector.freshness()).toEqual({
      synced: false,
      watching: false,
      ageMs: Number.POSITIVE_INFINITY,
      resourceVersion: undefined,
    });
    await pass(clock, 800 + 5_000);
    expect(reflector.freshness().ageMs).toBe(5_000);
    source.open[0]!.send(bookmark("2"));
    await pass(clock, 0);
    clock.step(-86_400_000);
    expect(reflector.freshness()).toEqual({ synced: true, watching: true, ageMs: 0, resourceVersion: "2" });
  });

  test("a store that throws does not end it", async () => {
    const source = scriptedSource();
    const clock = createManualClock();
    let broken = true;
    const seen: string[] = [];
    const note = (object: KubeObject): void => {
      if (broken) throw new Error("the store is broken");
      seen.push(objectKey(object));
    };
    await using _ = createReflector({
      source,
      clock,
      random: () => 0,
      store: { replace: () => {}, add: note, update: note, delete: note, bookmark: () => {} },
    });
    await pass(clock, 0);
    source.open[0]!.send(added(pod("a", "2")));
    await pass(clock, 800);
    broken = false;
    source.open[0]!.send(added(pod("a", "2")));
    await pass(clock, 0);
    expect(seen).toEqual(["shop/a"]);
  });
});
