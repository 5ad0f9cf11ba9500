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
} from "../test/scripted-source.ts";
import { type Informer, type InformerHandler, type InformerOptions, startInformer } from "./informer.ts";
import { type KubeObject, objectKey } from "./kube-object.ts";
import type { Logger } from "./logger.ts";

interface Started {
  readonly clock: ManualClock;
  readonly informer: Informer<KubeObject>;
  readonly logged: [fields: object, message: string][];
}

async function start(
  source: ScriptedSource,
  options: Partial<InformerOptions<KubeObject>> = {},
): Promise<Started> {
  const clock = createManualClock();
  const logged: [object, string][] = [];
  const note = (fields: object, message: string): void => void logged.push([fields, message]);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const informer = startInformer({ resource: source, clock, random: () => 0, logger, ...options });
  onTestFinished(() => informer[Symbol.asyncDispose]());
  await clock.advance(0);
  return { clock, informer, logged };
}

/** What has been sent is taken first, and then time passes. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  await clock.advance(0);
  await clock.advance(ms);
}

/** A handler that writes down what it is told. */
function recorder(): InformerHandler<KubeObject> & { readonly told: string[] } {
  const told: string[] = [];
  const version = (object: KubeObject): string =>
    `${object.metadata?.name}@${object.metadata?.resourceVersion}`;
  return {
    told,
    add: (object, { initial }) => void told.push(`${initial ? "initial" : "add"} ${version(object)}`),
    update: (old, object) => void told.push(`update ${version(old)} ${version(object)}`),
    delete: (object, { finalStateUnknown }) =>
      void told.push(`${finalStateUnknown ? "gone" : "delete"} ${version(object)}`),
  };
}

const names = (objects: KubeObject[]): (string | undefined)[] =>
  objects.map(({ metadata }) => metadata?.name);

describe("shared_informer_test.go", () => {
  test("TestIndexer: objects are found by what they are indexed under, as it changes", async () => {
    const source = scriptedSource([pod("a", "1", { app: "web" }), pod("b", "1", { app: "db" })]);
    const { clock, informer } = await start(source, {
      indexers: { app: ({ metadata }) => [metadata?.labels?.app ?? ""] },
    });
    expect(names(informer.byIndex("app", "web"))).toEqual(["a"]);
    source.open[0]!.send(modified(pod("a", "2", { app: "db" })), added(pod("c", "3", { app: "web" })));
    await pass(clock, 0);
    expect(names(informer.byIndex("app", "web"))).toEqual(["c"]);
    expect(names(informer.byIndex("app", "db"))).toEqual(["b", "a"]);
    source.open[0]!.send(deleted(pod("b", "4", { app: "db" })));
    await pass(clock, 0);
    expect(names(informer.byIndex("app", "db"))).toEqual(["a"]);
    expect(informer.byIndex("app", "none")).toEqual([]);
    expect(() => informer.byIndex("colour", "red")).toThrowError(
      expect.objectContaining({ code: "ERR_KUBE_CONFIG" }),
    );
  });

  test("TestListenerResyncPeriods: a resync tells each handler of each object as it is", async () => {
    const source = scriptedSource([pod("a", "1")]);
    const { clock, informer } = await start(source, { resyncMs: 60_000 });
    const same: boolean[] = [];
    informer.addHandler({ update: (old, object) => void same.push(old === object) });
    await pass(clock, 59_999);
    expect(same).toEqual([]);
    await pass(clock, 60_001);
    expect(same).toEqual([true, true]);
    expect([source.lists.length, source.watches.length]).toEqual([1, 1]);
  });

  test("TestSharedInformerInitializationRace: a handler from before the first state is told of it once", async () => {
    const source = scriptedSource([pod("a", "1")]);
    const clock = createManualClock();
    await using informer = startInformer({ resource: source, clock });
    const handler = recorder();
    const registration = informer.addHandler(handler);
    expect([informer.hasSynced, registration.hasSynced]).toEqual([false, false]);
    const synced = Promise.all([informer.whenSynced(), registration.whenSynced()]);
    await clock.advance(0);
    await synced;
    expect([handler.told, registration.hasSynced]).toEqual([["initial a@1"], true]);
  });

  test("TestSharedInformerWatchDisruption: what was missed while there was no watch is made up for", async () => {
    const source = scriptedSource([pod("a", "1"), pod("b", "2"), pod("c", "3")], "3");
    const { clock, informer } = await start(source);
    const handler = recorder();
    informer.addHandler(handler);
    await pass(clock, 0);
    handler.told.length = 0;
    source.onList = () => ({ resourceVersion: "9", items: [pod("a", "1"), pod("b", "8"), pod("d", "9")] });
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(handler.told).toEqual(["update b@2 b@8", "add d@9", "gone c@3"]);
  });

  test("TestSharedInformerErrorHandling: a server that cannot list yet is waited for", async () => {
    const source = scriptedSource([pod("a", "1")]);
    const answer = source.onList;
    source.onList = (options, count) => (count < 3 ? internalError : answer(options, count));
    const { clock, informer } = await start(source);
    expect(informer.stats()).toMatchObject({ listFailures: 1, objects: 0 });
    await pass(clock, 800 + 1_600);
    expect([informer.hasSynced, informer.stats().listFailures]).toEqual([true, 2]);
  });

  test("TestSharedInformerStartRace: it runs once, from its creation, and stopping at once is final", async () => {
    const source = scriptedSource();
    const clock = createManualClock();
    const informer = startInformer({ resource: source, clock });
    await informer[Symbol.asyncDispose]();
    await informer[Symbol.asyncDispose]();
    await pass(clock, 3_600_000);
    expect([source.lists.length, source.watches.length, clock.pending]).toEqual([1, 0, 0]);
  });

  test("TestSharedInformerTransformer: handlers and readers see transformed objects", async () => {
    const source = scriptedSource([pod("a", "1")]);
    const { informer } = await start(source, {
      transform: ({ metadata }) => ({ metadata: { ...metadata, name: metadata?.name?.toUpperCase() ?? "" } }),
    });
    expect([informer.get("shop/A")?.metadata?.name, informer.get("shop/a")]).toEqual(["A", undefined]);
  });

  test("TestSharedInformerRemoveHandler: a removed handler is told nothing more, others go on", async () => {
    const source = scriptedSource();
    const { clock, informer } = await start(source);
    const [first, second] = [recorder(), recorder()];
    const registration = informer.addHandler(first);
    informer.addHandler(second);
    source.open[0]!.send(added(pod("a", "2")));
    await pass(clock, 0);
    registration.remove();
    registration.remove();
    source.open[0]!.send(added(pod("b", "3")));
    await pass(clock, 0);
    expect([first.told, second.told]).toEqual([["add a@2"], ["add a@2", "add b@3"]]);
    expect(informer.stats().handlers).toBe(1);
  });

  test("TestSharedInformerMultipleRegistration: one handler registered twice is told twice, and removed once", async () => {
    const source = scriptedSource();
    const { clock, informer } = await start(source);
    const handler = recorder();
    const registration = informer.addHandler(handler);
    informer.addHandler(handler);
    source.open[0]!.send(added(pod("a", "2")));
    await pass(clock, 0);
    registration.remove();
    source.open[0]!.send(added(pod("b", "3")));
    await pass(clock, 0);
    expect(handler.told).toEqual(["add a@2", "add a@2", "add b@3"]);
  });

  test("TestAddOnStoppedSharedInformer, TestRemoveOnStoppedSharedInformer", async () => {
    const source = scriptedSource([pod("a", "1")]);
    const { informer } = await start(source);
    const registration = informer.addHandler({});
    await informer[Symbol.asyncDispose]();
    expect(() => informer.addHandler({})).toThrowError(expect.objectContaining({ code: "ERR_KUBE_CLOSED" }));
    registration.remove();
    expect(names(informer.list())).toEqual(["a"]);
  });

  test("TestRemoveWhileActive: removed by itself, while others wait", async () => {
    const source = scriptedSource([pod("a", "1"), pod("b", "1")]);
    const { clock, informer } = await start(source);
    const told: string[] = [];
    const registration = informer.addHandler({
      add: (object) => {
        told.push(objectKey(object));
        registration.remove();
      },
    });
    await pass(clock, 0);
    expect(told).toEqual(["shop/a"]);
    await expect(registration.whenSynced()).rejects.toMatchObject({ code: "ERR_KUBE_CLOSED" });
  });

  test("TestAddWhileActive: a late handler is told of all there is, then of what changes, and synced by itself", async () => {
    const source = scriptedSource([pod("a", "1")]);
    const { clock, informer } = await start(source);
    source.open[0]!.send(added(pod("b", "2")));
    await pass(clock, 0);
    const handler = recorder();
    const registration = informer.addHandler(handler);
    expect([informer.hasSynced, registration.hasSynced, handler.told]).toEqual([true, false, []]);
    source.open[0]!.send(modified(pod("a", "3")));
    await pass(clock, 0);
    expect([registration.hasSynced, handler.told]).toEqual([
      true,
      ["initial a@1", "initial b@2", "update a@1 a@3"],
    ]);
  });

  test("TestShutdown: a handler under way is awaited, and no other call follows", async () => {
    const source = scriptedSource([pod("a", "1"), pod("b", "1")]);
    const { clock, informer } = await start(source);
    let finish = (): void => {};
    let calls = 0;
    informer.addHandler({
      add: () => {
        calls += 1;
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    await pass(clock, 0);
    let disposed = false;
    const disposal = informer[Symbol.asyncDispose]().then(() => {
      disposed = true;
    });
    await pass(clock, 1_000);
    expect([disposed, calls]).toEqual([false, 1]);
    finish();
    await disposal;
    expect(calls).toBe(1);
  });

  test("TestShutdown: a handler that waits for the end of the informer does not hold it up for ever", async () => {
    const source = scriptedSource([pod("a", "1")]);
    const { clock, informer } = await start(source);
    informer.addHandler({ add: async () => informer[Symbol.asyncDispose]() });
    await pass(clock, 0);
    const disposal = informer[Symbol.asyncDispose]();
    await pass(clock, 5_000);
    await disposal;
    expect(source.open).toEqual([]);
  });

  test("TestEventPanics: a handler that throws or rejects is logged and counted, and the next event comes", async () => {
    const source = scriptedSource([pod("a", "1")]);
    const { clock, informer, logged } = await start(source);
    const told: string[] = [];
    informer.addHandler({
      add: (object) => {
        told.push(`add ${objectKey(object)}`);
        throw new Error("thrown in add");
      },
      update: async (_, object) => {
        told.push(`update ${objectKey(object)}`);
        throw new Error("rejected in update");
      },
      delete: (object) => void told.push(`delete ${objectKey(object)}`),
    });
    source.open[0]!.send(modified(pod("a", "2")), deleted(pod("a", "3")));
    await pass(clock, 0);
    expect(told).toEqual(["add shop/a", "update shop/a", "delete shop/a"]);
    expect(informer.stats().handlerErrors).toBe(2);
    expect(logged.filter(([, message]) => message === "handler failed")).toMatchObject([
      [{ event: "add", key: "shop/a", reason: "thrown in add" }, "handler failed"],
      [{ event: "update", key: "shop/a", reason: "rejected in update" }, "handler failed"],
    ]);
  });
});

describe("what the official client's informer does not survive", () => {
  test.each([
    ["reset", reset()],
    ["500", internalError],
  ])("a %s on the first list does not end it", async (_, failure) => {
    const source = scriptedSource([pod("a", "1")]);
    const answer = source.onList;
    source.onList = (options, count) => (count === 1 ? failure : answer(options, count));
    const { clock, informer } = await start(source);
    await pass(clock, 800);
    expect([informer.hasSynced, names(informer.list()), source.open.length]).toEqual([true, ["a"], 1]);
  });

  test("stopping is final: during the list, it rejects who waits and opens no watch later", async () => {
    const source = scriptedSource();
    source.onList = () => new Promise(() => {});
    const { clock, informer, logged } = await start(source);
    const waiting = expect(informer.whenSynced()).rejects.toMatchObject({ code: "ERR_KUBE_CLOSED" });
    await informer[Symbol.asyncDispose]();
    await waiting;
    await pass(clock, 3_600_000);
    expect([source.lists.length, source.watches.length, clock.pending]).toEqual([1, 0, 0]);
    expect(logged).toEqual([]);
  });

  test("stopping a watch logs no error and nothing starts again", async () => {
    const source = scriptedSource();
    const stop = new AbortController();
    const { clock, logged } = await start(source, { signal: stop.signal });
    stop.abort();
    await pass(clock, 3_600_000);
    expect([source.open.length, source.watches.length, clock.pending, logged]).toEqual([0, 1, 0, []]);
  });

  test("a hundred informers share one signal without a warning, and it ends them all", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    onTestFinished(() => void process.off("warning", note));
    const stop = new AbortController();
    const source = scriptedSource();
    const clock = createManualClock();
    for (let i = 0; i < 100; i += 1) startInformer({ resource: source, clock, signal: stop.signal });
    await pass(clock, 0);
    expect(source.open).toHaveLength(100);
    stop.abort();
    await pass(clock, 0);
    expect([source.open.length, clock.pending, warnings]).toEqual([0, 0, []]);
  });

  test("one whose signal aborted before asks for nothing", async () => {
    const source = scriptedSource();
    const { clock, informer } = await start(source, { signal: AbortSignal.abort(), resyncMs: 1_000 });
    await pass(clock, 60_000);
    expect([source.lists.length, clock.pending]).toEqual([0, 0]);
    await expect(informer.whenSynced()).rejects.toMatchObject({ code: "ERR_KUBE_CLOSED" });
  });

  test("an idle watch is opened anew where the newest bookmark was", async () => {
    const source = scriptedSource([], "1");
    const { clock } = await start(source);
    source.open[0]!.send(bookmark("500"));
    await pass(clock, 60_000);
    source.open[0]!.end();
    await pass(clock, 0);
    expect(source.watches[1]!.options.resourceVersion).toBe("500");
  });

  test("a slow handler holds up no other, and gets everything in order", async () => {
    const source = scriptedSource([pod("a", "1"), pod("b", "1")]);
    const { clock, informer } = await start(source);
    const slow: string[] = [];
    let finish = (): void => {};
    informer.addHandler({
      add: (object) => {
        slow.push(objectKey(object));
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    const fast = recorder();
    informer.addHandler(fast);
    await pass(clock, 0);
    expect([slow, fast.told.length, informer.stats().backlog]).toEqual([["shop/a"], 2, 2]);
    finish();
    await pass(clock, 0);
    expect(slow).toEqual(["shop/a", "shop/b"]);
    finish();
  });

  test("more than 120,000 objects, listed and handled", async () => {
    const source = scriptedSource();
    const items = Array.from({ length: 130_000 }, (_, i) => ({ metadata: { name: `pod-${i}` } }));
    source.onList = () => ({ resourceVersion: "1", items });
    const { clock, informer } = await start(source);
    let handled = 0;
    const registration = informer.addHandler({
      add: () => {
        handled += 1;
      },
    });
    while (!registration.hasSynced) await clock.advance(0);
    expect([handled, informer.list().length]).toEqual([130_000, 130_000]);
  });

  test("events that tell nothing new change nothing: the same, older, or of what is gone", async () => {
    const source = scriptedSource([pod("a", "5"), pod("b", "5")], "5");
    const { clock, informer } = await start(source);
    const handler = recorder();
    informer.addHandler(handler);
    await pass(clock, 0);
    handler.told.length = 0;
    source.open[0]!.send(
      modified(pod("a", "7")),
      modified(pod("a", "7")),
      modified(pod("a", "6")),
      deleted(pod("b", "8")),
      deleted(pod("b", "8")),
      added(pod("b", "5")),
      deleted(pod("a", "4")),
    );
    await pass(clock, 0);
    expect(handler.told).toEqual(["update a@5 a@7", "delete b@8"]);
    expect(informer.stats().staleEvents).toBe(5);
  });

  test("an index function that throws leaves its object out of the index only", async () => {
    const source = scriptedSource([pod("a", "1"), pod("b", "1")]);
    const { informer } = await start(source, {
      indexers: {
        name: ({ metadata }) => {
          if (metadata?.name === "a") throw new Error("cannot be indexed");
          return [metadata?.name ?? ""];
        },
      },
    });
    expect([names(informer.list()), informer.byIndex("name", "a")]).toEqual([["a", "b"], []]);
    expect(informer.stats().indexErrors).toBe(1);
  });
});

describe("objects that were just written", () => {
  const indexers = { app: ({ metadata }: KubeObject) => [metadata?.labels?.app ?? ""] };

  test("are read at once, by every way, until the watch has come as far", async () => {
    const source = scriptedSource([pod("a", "1", { app: "old" })], "1");
    const { clock, informer } = await start(source, { indexers });
    const handler = recorder();
    informer.addHandler(handler);
    await pass(clock, 0);
    const written = pod("a", "3", { app: "new" });
    written.metadata!.managedFields = [{ manager: "newleaf" }];
    informer.remember(written);
    informer.remember(pod("b", "4", { app: "new" }));
    expect(informer.get("shop/a")?.metadata).toMatchObject({ resourceVersion: "3" });
    expect(informer.get("shop/a")?.metadata?.managedFields).toBeUndefined();
    expect(written.metadata?.managedFields).toHaveLength(1);
    expect(names(informer.list())).toEqual(["a", "b"]);
    expect(names(informer.byIndex("app", "new"))).toEqual(["a", "b"]);
    expect(names(informer.byIndex("app", "old"))).toEqual([]);
    // Another's write, from before ours.
    source.open[0]!.send(modified(pod("a", "2", { app: "other" })));
    await pass(clock, 0);
    expect(informer.get("shop/a")?.metadata?.resourceVersion).toBe("3");
    source.open[0]!.send(modified(pod("a", "3", { app: "new" })), modified(pod("a", "5", { app: "later" })));
    await pass(clock, 0);
    expect(informer.get("shop/a")?.metadata?.resourceVersion).toBe("5");
    // The watch is past b's creation and has not shown it, so it is not of what this informer selects.
    expect(informer.get("shop/b")).toBeUndefined();
    expect(handler.told).toEqual(["initial a@1", "update a@1 a@2", "update a@2 a@3", "update a@3 a@5"]);
  });

  test("are forgotten with a deletion, a bookmark or a list that is as new", async () => {
    const source = scriptedSource([pod("a", "1")], "1");
    const { clock, informer } = await start(source);
    informer.remember(pod("a", "3"));
    source.open[0]!.send(deleted(pod("a", "4")));
    await pass(clock, 0);
    expect(informer.get("shop/a")).toBeUndefined();
    informer.remember(pod("a", "3"));
    expect(informer.get("shop/a")).toBeUndefined();

    informer.remember(pod("b", "10"));
    source.open[0]!.send(bookmark("9"));
    await pass(clock, 0);
    expect(informer.get("shop/b")).toBeDefined();
    source.open[0]!.send(bookmark("10"));
    await pass(clock, 0);
    expect(informer.get("shop/b")).toBeUndefined();

    informer.remember(pod("c", "20"));
    source.onList = () => ({ resourceVersion: "21", items: [] });
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(informer.list()).toEqual([]);
  });

  test("are forgotten after a time when the watch does not come to them, and older ones are not taken", async () => {
    const { clock, informer } = await start(scriptedSource([pod("a", "9")], "9"));
    informer.remember(pod("a", "8"));
    expect(informer.get("shop/a")?.metadata?.resourceVersion).toBe("9");
    informer.remember(pod("a", "11"));
    informer.remember(pod("a", "10"));
    expect(informer.get("shop/a")?.metadata?.resourceVersion).toBe("11");
    await pass(clock, 60_000);
    expect(informer.get("shop/a")?.metadata?.resourceVersion).toBe("9");
  });
});
