import { isDeepStrictEqual } from "node:util";
import {
  createKubernetesApi,
  createManualClock,
  type Fault,
  type KubernetesApi,
  type ManualClock,
} from "@newleaf/testing";
import type { ConfigMap } from "kubernetes-types/core/v1.js";
import { expect, onTestFinished, test } from "vitest";
import { createKubeClient, type Informer, resources, startInformer, valueOrThrow } from "../src/index.ts";

interface Scene {
  readonly api: KubernetesApi;
  readonly clock: ManualClock;
  readonly informer: Informer<ConfigMap>;
  /** Creates or changes an object. */
  write(name: string, value: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** What the API server has, and what the informer has. */
  both(): [server: Record<string, string>, informer: Record<string, string>];
}

async function scene(
  options: { readonly faults?: Fault[]; readonly watchList?: boolean } = {},
): Promise<Scene> {
  const clock = createManualClock();
  let seed = 1;
  const random = (): number => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const api = createKubernetesApi({ clock, random });
  const own = createKubeClient({ transport: api.transport(), clock, random, rateLimit: false });
  const client = createKubeClient({ transport: api.transport({ user: "watcher" }), clock, random });
  const configMaps = own.resource(resources.configMaps, { namespace: "default" });
  const write = async (name: string, value: string): Promise<void> => {
    const object = { metadata: { name }, data: { value } };
    const written = await configMaps.update(object);
    if (!written.ok) valueOrThrow(await configMaps.create(object), "create");
  };
  await write("first", "0");
  for (const fault of options.faults ?? []) api.faults.add({ ...fault, user: "watcher" });
  const informer = startInformer({
    resource: client.resource(resources.configMaps, { namespace: "default" }),
    clock,
    random,
    watchList: options.watchList,
  });
  onTestFinished(async () => {
    await informer[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
    await api[Symbol.asyncDispose]();
  });
  const values = (objects: readonly ConfigMap[]): Record<string, string> =>
    Object.fromEntries(objects.map(({ metadata, data }) => [metadata?.name ?? "", data?.value ?? ""]));
  let known: readonly ConfigMap[] = [];
  const read = async (): Promise<void> => {
    known = valueOrThrow(await configMaps.list(), "list").items;
  };
  await clock.advance(0);
  return {
    api,
    clock,
    informer,
    async write(name, value) {
      await write(name, value);
      await read();
      await clock.advance(0);
    },
    async remove(name) {
      valueOrThrow(await configMaps.delete(name), "delete");
      await read();
      await clock.advance(0);
    },
    both: () => [values(known), values(informer.list())],
  };
}

/** Lets time pass until both have the same. */
async function converges({ clock, both }: Scene, withinMs: number): Promise<void> {
  const since = clock.monotonic();
  for (;;) {
    const [server, informer] = both();
    const took = clock.monotonic() - since;
    if (isDeepStrictEqual(server, informer)) return;
    expect(took, `still ${JSON.stringify(informer)} for ${JSON.stringify(server)}`).toBeLessThan(withinMs);
    await clock.advance(100);
  }
}

test("what is written is seen at once, and nothing else is asked for in an idle hour but watches", async () => {
  const scenario = await scene();
  await scenario.write("a", "1");
  await scenario.write("a", "2");
  await scenario.remove("first");
  expect(scenario.both()).toEqual([{ a: "2" }, { a: "2" }]);
  await scenario.clock.advance(3_600_000);
  const { lists, watches, bookmarks, silentWatches } = scenario.informer.stats();
  expect(lists).toBe(1);
  expect(watches).toBeLessThanOrEqual(13);
  expect(bookmarks).toBeGreaterThan(50);
  expect(silentWatches).toBe(0);
  expect(scenario.informer.freshness().ageMs).toBeLessThanOrEqual(120_000);
});

test.each<[string, Fault[]]>([
  ["a refused connection", [{ kind: "refuse", verbs: ["list"], times: 3 }]],
  ["a reset", [{ kind: "reset", verbs: ["list"], times: 2 }]],
  ["a reset within the answer", [{ kind: "reset", when: "stream", verbs: ["list"], times: 1 }]],
  ["an answer cut within a character", [{ kind: "cut", at: "character", verbs: ["list"], times: 1 }]],
  ["500", [{ kind: "status", code: 500, verbs: ["list"], times: 2 }]],
  [
    "503 and 429",
    [
      { kind: "status", code: 503, verbs: ["list"], times: 1 },
      { kind: "status", code: 429, retryAfterSeconds: 3, verbs: ["list"], times: 1 },
    ],
  ],
  ["a stalled answer", [{ kind: "stall", verbs: ["list"], times: 1 }]],
  ["an answer in small pieces", [{ kind: "split", verbs: ["list"] }]],
])("the first list survives %s", async (_, faults) => {
  const scenario = await scene({ faults });
  await scenario.write("a", "1");
  await converges(scenario, 120_000);
  expect(scenario.informer.hasSynced).toBe(true);
});

test.each<[string, Fault[], number]>([
  ["a reset", [{ kind: "reset", when: "stream", verbs: ["watch"], times: 1 }], 5_000],
  ["a cut within a line", [{ kind: "cut", at: "line", verbs: ["watch"], times: 1 }], 5_000],
  ["a cut within a character", [{ kind: "cut", at: "character", verbs: ["watch"], times: 1 }], 5_000],
  // biome-ignore lint/suspicious/noThenProperty: the fault's own word
  ["an end within a line", [{ kind: "cut", at: "line", then: "end", verbs: ["watch"], times: 1 }], 5_000],
  [
    "a refused connection",
    [
      { kind: "reset", when: "stream", verbs: ["watch"], times: 1 },
      { kind: "refuse", verbs: ["watch"], times: 3 },
    ],
    20_000,
  ],
  [
    "500 and 429",
    [
      { kind: "reset", when: "stream", verbs: ["watch"], times: 1 },
      { kind: "status", code: 500, verbs: ["watch"], times: 1 },
      { kind: "status", code: 429, retryAfterSeconds: 2, verbs: ["watch"], times: 1 },
    ],
    20_000,
  ],
  [
    "a stall before the answer",
    [
      { kind: "reset", when: "stream", verbs: ["watch"], times: 1 },
      { kind: "stall", verbs: ["watch"], times: 1 },
    ],
    40_000,
  ],
  ["events that come twice", [{ kind: "duplicate-events", verbs: ["watch"] }], 100],
  ["old events that come again", [{ kind: "old-events", verbs: ["watch"] }], 100],
  ["small pieces", [{ kind: "split", verbs: ["watch"] }], 100],
])("the watch survives %s, without a list", async (_, faults, withinMs) => {
  const scenario = await scene();
  for (const fault of faults) scenario.api.faults.add({ ...fault, user: "watcher" });
  for (const step of [1, 2, 3]) {
    await scenario.write("a", String(step));
    await scenario.write("b", String(step));
    if (step === 2) await scenario.remove("b");
  }
  await converges(scenario, withinMs);
  await scenario.write("after", "1");
  await converges(scenario, withinMs);
  expect(scenario.informer.stats().lists).toBe(1);
});

test("a list that goes silent half way is given up and asked for again", async () => {
  const scenario = await scene({ faults: [{ kind: "stall", when: "stream", verbs: ["list"] }] });
  await scenario.write("a", "1");
  await scenario.clock.advance(60_000);
  expect(scenario.informer.stats()).toMatchObject({ listFailures: 1, objects: 0 });
  scenario.api.faults.clear();
  await converges(scenario, 2_000);
});

test("a watch that goes silent is noticed by its missing bookmarks, and no list is needed", async () => {
  const scenario = await scene();
  await scenario.clock.advance(65_000);
  const silence = scenario.api.faults.add({
    kind: "stall",
    when: "stream",
    verbs: ["watch"],
    user: "watcher",
  });
  await scenario.write("a", "1");
  expect(scenario.both()[1]).toEqual({ first: "0" });
  await scenario.clock.advance(144_000);
  expect(scenario.informer.freshness().ageMs).toBe(149_000);
  // What was lost stays lost; the next watch is well.
  await scenario.clock.advance(1_000);
  expect(scenario.informer.stats()).toMatchObject({ silentWatches: 1, watches: 2 });
  silence.remove();
  await converges(scenario, 100);
  expect(scenario.informer.stats().lists).toBe(1);
});

test.each([false, true])(
  "a lost history (410, as a status: %s) brings one list and what was missed",
  async (asStatus) => {
    const scenario = await scene();
    const gone: string[] = [];
    scenario.informer.addHandler({
      delete: ({ metadata }, { finalStateUnknown }) =>
        void gone.push(`${metadata?.name} ${finalStateUnknown}`),
    });
    scenario.api.faults.expiredAsStatus = asStatus;
    const away = scenario.api.faults.add({ kind: "refuse", user: "watcher" });
    scenario.api.restart();
    await scenario.clock.advance(0);
    await scenario.write("a", "1");
    await scenario.remove("first");
    scenario.api.restart({ history: "lost" });
    away.remove();
    await converges(scenario, 60_000);
    await scenario.clock.advance(0);
    expect([gone, scenario.informer.stats().lists]).toEqual([["first true"], 2]);
  },
);

test("an API server away for ten minutes is found again within its longest wait", async () => {
  const scenario = await scene();
  const away = scenario.api.faults.add({ kind: "refuse", user: "watcher" });
  scenario.api.restart();
  await scenario.clock.advance(600_000);
  const { lists, watches } = scenario.informer.stats();
  expect(lists).toBe(1);
  expect(watches).toBeLessThan(30);
  expect(scenario.informer.freshness().ageMs).toBeGreaterThanOrEqual(600_000);
  away.remove();
  await scenario.write("a", "1");
  await converges(scenario, 60_000);
});

test("a streamed state, and its fall back when the server never ends it", async () => {
  const streamed = await scene({ watchList: true });
  await streamed.write("a", "1");
  expect(streamed.both()[1]).toEqual({ first: "0", a: "1" });
  expect(streamed.informer.stats()).toMatchObject({ lists: 0, watches: 1 });

  const endless = await scene({
    watchList: true,
    faults: [{ kind: "no-initial-events-end", verbs: ["watch"] }],
  });
  await endless.write("a", "1");
  await converges(endless, 31_000);
  expect(endless.informer.stats().lists).toBe(1);
});

test("the wall clock of the API server does not matter", async () => {
  const scenario = await scene();
  scenario.api.faults.skewMs = -3_600_000;
  await scenario.write("a", "1");
  scenario.clock.step(86_400_000);
  await scenario.write("a", "2");
  expect(scenario.both()[1]).toEqual({ first: "0", a: "2" });
  expect(scenario.informer.freshness().ageMs).toBe(0);
});
