import { resources } from "@newleaf/kube";
import { expect } from "vitest";
import { configMap } from "./objects.ts";
import { deadline, ok, refusal, type Scenario, summary, take, versionOf } from "./scenario.ts";

export const watching: readonly Scenario[] = [
  {
    name: "watch: what happened since a list, in order, at growing versions",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const { resourceVersion } = ok(await configMaps.list()).metadata;
      ok(await configMaps.create(configMap("a", { k: "1" })));
      const stream = ok(await configMaps.watch({ resourceVersion, signal: deadline() }));
      const updated = ok(await configMaps.update(configMap("a", { k: "2" })));
      ok(await configMaps.delete("a"));
      const events = await take(stream, 3);
      expect(summary(events)).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
      const objects = events.flatMap((event) => ("object" in event ? [event.object] : []));
      const versions = objects.map((object) => Number(versionOf(object)));
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
      expect(new Set(versions).size).toBe(3);
      expect(objects[1]).toEqual(updated);
      // As it last was, at the version of its end.
      expect(objects[2]).toMatchObject({ data: { k: "2" }, metadata: { uid: updated.metadata?.uid } });
      await stream.return?.();
    },
  },
  {
    name: "watch: without a version begins with what is there",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      for (const name of ["b", "a"]) ok(await configMaps.create(configMap(name)));
      const stream = ok(await configMaps.watch({ signal: deadline() }));
      expect(summary(await take(stream, 2)).sort()).toEqual(["ADDED a", "ADDED b"]);
      ok(await configMaps.create(configMap("c")));
      expect(summary(await take(stream, 1))).toEqual(["ADDED c"]);
      await stream.return?.();
    },
  },
  {
    name: "watch: what comes to match a selector is ADDED, and what no longer does DELETED",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const { resourceVersion } = ok(await configMaps.list()).metadata;
      const stream = ok(
        await configMaps.watch({ resourceVersion, labelSelector: "on=yes", signal: deadline() }),
      );
      const put = async (on: string, k: string) =>
        ok(await configMaps.update(configMap("a", { k }, { labels: { on } })));
      ok(await configMaps.create(configMap("a", { k: "1" }, { labels: { on: "no" } })));
      await put("yes", "2");
      await put("yes", "3");
      const left = await put("no", "4");
      await put("yes", "5");
      const events = await take(stream, 4);
      expect(summary(events)).toEqual(["ADDED a", "MODIFIED a", "DELETED a", "ADDED a"]);
      const [, , gone] = events;
      // As it was when it last matched, at the version that took it out.
      expect(gone).toMatchObject({
        object: { data: { k: "3" }, metadata: { resourceVersion: versionOf(left) } },
      });
      await stream.return?.();
    },
  },
  {
    name: "watch: one object by its name",
    async run({ of }) {
      const leases = of(resources.leases);
      const { resourceVersion } = ok(await leases.list()).metadata;
      const options = { resourceVersion, fieldSelector: "metadata.name=one", signal: deadline() };
      const stream = ok(await leases.watch(options));
      for (const name of ["other", "one"]) ok(await leases.create({ metadata: { name }, spec: {} }));
      expect(summary(await take(stream, 1))).toEqual(["ADDED one"]);
      await stream.return?.();
    },
  },
  {
    name: "watch: the server ends it after timeoutSeconds",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const { resourceVersion } = ok(await configMaps.list()).metadata;
      ok(await configMaps.create(configMap("a")));
      const stream = ok(await configMaps.watch({ resourceVersion, timeoutSeconds: 1, signal: deadline() }));
      const events = [];
      for await (const event of stream) events.push(event);
      expect(summary(events)).toEqual(["ADDED a"]);
    },
  },
  {
    name: "watch: a bookmark comes now and then if asked for",
    timeoutMs: 100_000,
    async run({ of, admin }) {
      const configMaps = of(resources.configMaps);
      const { resourceVersion } = ok(await configMaps.list()).metadata;
      const options = { resourceVersion, allowWatchBookmarks: true, signal: deadline(90_000) };
      const stream = ok(await configMaps.watch(options));
      // What happens elsewhere, of which this watch is not told, moves the version on.
      const elsewhere = admin.resource(resources.configMaps, { namespace: "default" });
      const other = ok(await elsewhere.create({ metadata: { generateName: "scenario-" } }));
      const [bookmark] = await take(stream, 1);
      expect(bookmark).toMatchObject({ type: "BOOKMARK", initialEventsEnd: false });
      expect(bookmark?.type === "BOOKMARK" && Number(bookmark.resourceVersion)).toBeGreaterThanOrEqual(
        Number(versionOf(other)),
      );
      await stream.return?.();
    },
  },
  {
    name: "watch: sendInitialEvents ends with a bookmark that says so, then goes on",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      for (const name of ["a", "b"]) ok(await configMaps.create(configMap(name)));
      const stream = ok(
        await configMaps.watch({
          sendInitialEvents: true,
          resourceVersionMatch: "NotOlderThan",
          allowWatchBookmarks: true,
          signal: deadline(),
        }),
      );
      const initial = await take(stream, 3);
      expect(summary(initial)).toEqual(["ADDED a", "ADDED b", "BOOKMARK"]);
      expect(initial[2]).toMatchObject({ initialEventsEnd: true });
      ok(await configMaps.create(configMap("c")));
      expect(summary(await take(stream, 1))).toEqual(["ADDED c"]);
      await stream.return?.();
    },
  },
  {
    name: "watch: sendInitialEvents without its conditions is 422",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const alone = refusal(await configMaps.watch({ sendInitialEvents: true, allowWatchBookmarks: true }));
      expect(alone).toMatchObject({ code: 422, reason: "Invalid" });
      expect(alone.message).toContain(
        "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
      );
      const match = refusal(
        await configMaps.watch({ resourceVersion: "1", resourceVersionMatch: "NotOlderThan" }),
      );
      expect(match.message).toContain(
        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      );
    },
  },
  {
    name: "watch: from a forgotten version is an ERROR in the stream, 410 Expired",
    async run({ of, forgetHistory }) {
      const configMaps = of(resources.configMaps);
      ok(await configMaps.create(configMap("a")));
      for (const k of ["1", "2", "3"]) ok(await configMaps.update(configMap("a", { k })));
      await forgetHistory();
      const stream = ok(await configMaps.watch({ resourceVersion: "1", signal: deadline() }));
      const [event] = await take(stream, 1);
      expect(event).toMatchObject({ type: "ERROR", status: { code: 410, reason: "Expired" } });
      expect(event?.type === "ERROR" && event.status.message).toMatch(
        /^too old resource version: 1 \(\d+\)$/,
      );
      await stream.return?.();
    },
  },
  {
    name: "watch: ends by return() and by its signal, also while nothing comes",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const { resourceVersion } = ok(await configMaps.list()).metadata;
      const left = ok(await configMaps.watch({ resourceVersion, signal: deadline() }));
      const next = left.next();
      await left.return?.();
      expect((await next).done).toBe(true);
      const stop = new AbortController();
      const aborted = ok(await configMaps.watch({ resourceVersion, signal: stop.signal }));
      const pending = aborted.next();
      stop.abort(new Error("enough"));
      await expect(pending).rejects.toThrow("enough");
    },
  },
];
