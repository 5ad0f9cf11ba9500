import { createManualClock, type ManualClock } from "@newleaf/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  added,
  bookmark,
  deleted,
  expired,
  failed,
  modified,
  pod,
  type ScriptedSource,
  scriptedSource,
  status,
  tooLarge,
  tooManyRequests,
  unreachable,
} from "../test/scripted-source.ts";
import type { Informer, InformerOptions } from "./informer.ts";
import { startInformer } from "./informer.ts";
import type { KubeObject } from "./kube-object.ts";

async function stream(
  source: ScriptedSource,
  options: Partial<InformerOptions<KubeObject>> = {},
): Promise<{ readonly clock: ManualClock; readonly informer: Informer<KubeObject> }> {
  const clock = createManualClock();
  const informer = startInformer({ resource: source, clock, random: () => 0, watchList: true, ...options });
  onTestFinished(() => informer[Symbol.asyncDispose]());
  await clock.advance(0);
  return { clock, informer };
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  await clock.advance(0);
  await clock.advance(ms);
}

const names = (informer: Informer<KubeObject>): (string | undefined)[] =>
  informer.list().map(({ metadata }) => metadata?.name);

describe("reflector_watchlist_test.go", () => {
  test("TestNewReflectorWithDisablementWatchList: without being asked to, it lists", async () => {
    const source = scriptedSource();
    await stream(source, { watchList: undefined });
    expect([source.lists.length, source.watches.length]).toEqual([1, 1]);
    expect(source.watches[0]!.options.sendInitialEvents).toBeUndefined();
  });

  test("TestInitialEventsEndBookmarkTicker: a server that never ends the state is given up, and the list is used from then on", async () => {
    const source = scriptedSource([pod("a", "1")], "2");
    const { clock, informer } = await stream(source);
    source.open[0]!.send(added(pod("a", "1")), bookmark("2"));
    await pass(clock, 29_999);
    expect([informer.hasSynced, source.lists.length, names(informer)]).toEqual([false, 0, []]);
    await pass(clock, 1);
    expect([informer.hasSynced, source.lists.length, names(informer)]).toEqual([true, 1, ["a"]]);
    expect(source.watches[1]!.options).toMatchObject({ resourceVersion: "2" });
    expect(source.watches[1]!.options.sendInitialEvents).toBeUndefined();
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect([source.lists.length, source.watches.length]).toEqual([2, 3]);
  });

  test("TestWatchList: synced after the bookmark that ends the state, and the same watch goes on", async () => {
    const source = scriptedSource();
    const { clock, informer } = await stream(source, { labelSelector: "app=a" });
    expect(source.watches[0]!.options).toMatchObject({
      sendInitialEvents: true,
      resourceVersionMatch: "NotOlderThan",
      resourceVersion: "",
      allowWatchBookmarks: true,
      labelSelector: "app=a",
    });
    source.open[0]!.send(added(pod("a", "9")), added(pod("b", "3")));
    await pass(clock, 0);
    expect([informer.hasSynced, names(informer), informer.freshness().resourceVersion]).toEqual([
      false,
      [],
      undefined,
    ]);
    source.open[0]!.send(bookmark("10", true), added(pod("c", "11")));
    await pass(clock, 60_000);
    expect([informer.hasSynced, names(informer), informer.freshness().resourceVersion]).toEqual([
      true,
      ["a", "b", "c"],
      "11",
    ]);
    expect([source.lists.length, source.watches.length]).toEqual([0, 1]);
  });

  test("TestWatchList: updates and deletions before that bookmark are part of the state", async () => {
    const source = scriptedSource();
    const { clock, informer } = await stream(source);
    const told: string[] = [];
    informer.addHandler({
      add: (object, { initial }) => void told.push(`${object.metadata?.name} ${initial}`),
      delete: (object) => void told.push(`-${object.metadata?.name}`),
    });
    source.open[0]!.send(
      added(pod("a", "1")),
      added(pod("b", "2")),
      modified(pod("a", "3")),
      deleted(pod("b", "4")),
      bookmark("4", true),
    );
    await pass(clock, 0);
    expect(told).toEqual(["a true"]);
    expect(informer.get("shop/a")?.metadata?.resourceVersion).toBe("3");
  });

  test("TestWatchList: a bookmark without the annotation does not end the state", async () => {
    const source = scriptedSource();
    const { clock, informer } = await stream(source);
    source.open[0]!.send(added(pod("a", "1")), bookmark("2", false));
    await pass(clock, 0);
    expect(informer.hasSynced).toBe(false);
  });

  test("TestWatchList: a server that does not know it is listed, and not asked again", async () => {
    const source = scriptedSource([pod("a", "1")]);
    source.onWatch = ({ sendInitialEvents }) => (sendInitialEvents ? status(422, "Invalid") : undefined);
    const { clock, informer } = await stream(source);
    expect([informer.hasSynced, source.lists[0]!.resourceVersion]).toEqual([true, "0"]);
    source.open[0]!.send(failed(expired));
    await pass(clock, 800);
    expect(source.watches.map(({ options }) => options.sendInitialEvents)).toEqual([
      true,
      undefined,
      undefined,
    ]);
  });

  test("TestWatchList: any other error falls back to a list as well", async () => {
    const source = scriptedSource([pod("a", "1")]);
    source.onWatch = (_, count) => (count === 1 ? status(403, "Forbidden") : undefined);
    const { informer } = await stream(source);
    expect([informer.hasSynced, source.lists.length]).toEqual([true, 1]);
  });

  test.each([
    ["429", tooManyRequests, 5_800],
    ["no connection", unreachable(), 800],
  ])("TestWatchList: %s is tried again without a list", async (_, refusal, waitMs) => {
    const source = scriptedSource();
    source.onWatch = (__, count) => (count === 1 ? refusal : undefined);
    const { clock } = await stream(source);
    await pass(clock, waitMs);
    expect([source.open.length, source.lists.length]).toEqual([1, 0]);
    expect(source.open[0]!.options.sendInitialEvents).toBe(true);
  });

  test("TestWatchList: broken off before the end, the whole state is asked for again and nothing of the first is kept", async () => {
    const source = scriptedSource();
    const { clock, informer } = await stream(source);
    source.open[0]!.send(added(pod("half", "1")));
    source.open[0]!.end(unreachable());
    await pass(clock, 800);
    source.open[0]!.send(added(pod("a", "2")), bookmark("2", true));
    await pass(clock, 0);
    expect([names(informer), source.lists.length]).toEqual([["a"], 0]);
  });

  test("TestWatchList: ended after the state, a plain watch follows", async () => {
    const source = scriptedSource();
    const { clock } = await stream(source);
    source.open[0]!.send(bookmark("5", true));
    source.open[0]!.end();
    await pass(clock, 0);
    expect(source.watches[1]!.options.resourceVersion).toBe("5");
    expect(source.watches[1]!.options.sendInitialEvents).toBeUndefined();
  });

  test.each([
    ["expired", expired],
    ["too large", tooLarge],
  ])("TestWatchList: %s once established, the state is streamed again", async (_, refusal) => {
    const source = scriptedSource();
    const { clock, informer } = await stream(source);
    source.open[0]!.send(added(pod("a", "4")), bookmark("5", true));
    source.open[0]!.send(failed(refusal));
    await pass(clock, 800);
    expect(source.watches[1]!.options).toMatchObject({
      sendInitialEvents: true,
      resourceVersion: refusal === expired ? "5" : "",
    });
    const told: boolean[] = [];
    informer.addHandler({ delete: (__, { finalStateUnknown }) => void told.push(finalStateUnknown) });
    expect(names(informer)).toEqual(["a"]);
    source.open[0]!.send(bookmark("9", true));
    await pass(clock, 0);
    expect([names(informer), told, source.lists.length]).toEqual([[], [true], 0]);
  });
});
