import {
  type Informer,
  KubeError,
  type KubeObject,
  type ListerWatcher,
  resources,
  startInformer,
} from "@newleaf/kube";
import { expect } from "vitest";
import { configMap, deployment } from "./objects.ts";
import { deadline, ok, type Scenario } from "./scenario.ts";

/** Asks until it is so; the deadline is the scenario's. */
async function eventually(what: string, check: () => boolean, timeoutMs = 30_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!check()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const namesOf = (informer: Informer<KubeObject>): (string | undefined)[] =>
  informer
    .list()
    .map(({ metadata }) => metadata?.name)
    .sort();

/** A source whose connections can be cut, and made impossible until they are restored. */
function cuttable<T extends KubeObject>(
  source: ListerWatcher<T>,
): { readonly source: ListerWatcher<T>; cut(): void; restore(): void } {
  let line = new AbortController();
  const signalOf = (signal: AbortSignal | undefined): AbortSignal =>
    AbortSignal.any(signal ? [signal, line.signal] : [line.signal]);
  return {
    source: {
      list: async (options) => source.list({ ...options, signal: signalOf(options.signal) }),
      watch: async (options) => source.watch({ ...options, signal: signalOf(options.signal) }),
    },
    cut: () => line.abort(new KubeError("ERR_KUBE_UNREACHABLE", "cut")),
    restore: () => {
      line = new AbortController();
    },
  };
}

export const informing: readonly Scenario[] = [
  {
    name: "informer: objects of its list and of its watch look alike",
    async run({ of }) {
      const deployments = of(resources.deployments);
      ok(await deployments.create(deployment("listed")));
      await using informer = startInformer({ resource: deployments });
      await informer.whenSynced(deadline());
      ok(await deployments.create(deployment("watched")));
      await eventually("both are there", () => informer.list().length === 2);
      const [listed, watched] = ["listed", "watched"].map((name) =>
        informer.list().find(({ metadata }) => metadata?.name === name),
      );
      expect(listed).toMatchObject({ apiVersion: "apps/v1", kind: "Deployment" });
      expect(Object.keys(watched ?? {}).sort()).toEqual(Object.keys(listed ?? {}).sort());
      expect(Object.keys(watched?.metadata ?? {}).sort()).toEqual(Object.keys(listed?.metadata ?? {}).sort());
      expect([typeof listed?.metadata?.creationTimestamp, listed?.metadata?.managedFields]).toEqual([
        "string",
        undefined,
      ]);
      expect(typeof watched?.metadata?.creationTimestamp).toBe("string");
    },
  },
  {
    name: "informer: its selector holds for the list and for the watch, also for what comes and goes",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const create = async (name: string, on: string) =>
        ok(await configMaps.create(configMap(name, {}, { labels: { on } })));
      await create("a", "yes");
      await create("b", "no");
      await using informer = startInformer({ resource: configMaps, labelSelector: "on=yes" });
      await informer.whenSynced(deadline());
      expect(namesOf(informer)).toEqual(["a"]);
      await create("c", "yes");
      await create("d", "no");
      ok(await configMaps.update(configMap("b", {}, { labels: { on: "yes" } })));
      ok(await configMaps.update(configMap("a", {}, { labels: { on: "no" } })));
      await create("last", "yes");
      await eventually("the last is there", () => namesOf(informer).includes("last"));
      expect(namesOf(informer)).toEqual(["b", "c", "last"]);
      expect(informer.stats().lists).toBe(1);
    },
  },
  {
    name: "informer: a streamed state is whole without a list, and goes on",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      for (const name of ["a", "b"]) ok(await configMaps.create(configMap(name)));
      await using informer = startInformer({
        resource: configMaps,
        watchList: true,
        fieldSelector: "metadata.name!=kube-root-ca.crt",
      });
      await informer.whenSynced(deadline());
      expect(namesOf(informer)).toEqual(["a", "b"]);
      ok(await configMaps.delete("a"));
      await eventually("one is gone", () => namesOf(informer).length === 1);
      expect(informer.stats()).toMatchObject({ lists: 0, watches: 1 });
    },
  },
  {
    name: "informer: pages make the same state as one answer",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const names = Array.from({ length: 7 }, (_, i) => `a${i}`);
      for (const name of names) ok(await configMaps.create(configMap(name, {}, { labels: { on: "yes" } })));
      const paged: ListerWatcher<KubeObject> = {
        // With "0" a server may give all at once.
        list: (options) => configMaps.list({ ...options, resourceVersion: undefined }),
        watch: configMaps.watch,
      };
      for (const resource of [configMaps, paged]) {
        await using informer = startInformer({ resource, pageSize: 2, labelSelector: "on=yes" });
        await informer.whenSynced(deadline());
        expect(namesOf(informer)).toEqual(names);
      }
    },
  },
  {
    name: "informer: what was written is read at once, and what is deleted goes",
    async run({ of, namespace }) {
      const configMaps = of(resources.configMaps);
      await using informer = startInformer({ resource: configMaps });
      await informer.whenSynced(deadline());
      const first = ok(await configMaps.create(configMap("a", { k: "0" })));
      informer.remember(first);
      expect(informer.get(`${namespace}/a`)?.data).toEqual({ k: "0" });
      for (let i = 1; i <= 20; i++) {
        informer.remember(ok(await configMaps.update(configMap("a", { k: String(i) }))));
        expect(informer.get(`${namespace}/a`)?.data).toEqual({ k: String(i) });
      }
      ok(await configMaps.delete("a"));
      await eventually("it is gone", () => informer.get(`${namespace}/a`) === undefined);
    },
  },
  {
    name: "informer: what went while nothing could be watched is told as last seen",
    async run({ of, forgetHistory }) {
      const configMaps = of(resources.configMaps);
      for (const name of ["a", "b"]) ok(await configMaps.create(configMap(name)));
      const line = cuttable(configMaps);
      const told: string[] = [];
      await using informer = startInformer({ resource: line.source });
      informer.addHandler({
        add: ({ metadata }) => void told.push(`add ${metadata?.name}`),
        update: (_, { metadata }) => void told.push(`update ${metadata?.name}`),
        delete: ({ metadata }, { finalStateUnknown }) =>
          void told.push(`delete ${metadata?.name} ${finalStateUnknown}`),
      });
      await informer.whenSynced(deadline());
      await eventually("both are told of", () => ["add a", "add b"].every((line) => told.includes(line)));
      told.length = 0;
      line.cut();
      ok(await configMaps.delete("a"));
      ok(await configMaps.update(configMap("b", { k: "1" })));
      ok(await configMaps.create(configMap("c")));
      await forgetHistory();
      line.restore();
      await eventually("all is told", () => told.length >= 3);
      expect(told.sort()).toEqual(["add c", "delete a true", "update b"]);
      expect(informer.stats().expired).toBeGreaterThan(0);
    },
  },
];
