import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createManualClock } from "../manual-clock.ts";
import { createKubelet, type KubeletOptions } from "./kubelet.ts";
import { kubeletVolumePath, writeKubeletVolumes } from "./kubelet-volumes.ts";
import { createKubernetesApi } from "./kubernetes-api.ts";

const pod = (name: string, terminationGracePeriodSeconds = 30) => ({
  metadata: { name, namespace: "default" },
  spec: {
    nodeName: "node",
    terminationGracePeriodSeconds,
    containers: [{ name: "main", image: "main:1" }],
    volumes: [{ name: "tls", secret: { secretName: "serving" } }],
  },
});
const base64 = (text: string): string => Buffer.from(text).toString("base64");

function setUp(options: Partial<KubeletOptions> = {}) {
  const clock = createManualClock();
  const { store } = createKubernetesApi({ clock });
  const writes: string[] = [];
  const kubelet = createKubelet({
    store,
    clock,
    random: () => 0.5,
    nodeName: "node",
    write: ({ metadata }, volume, files) =>
      void writes.push(`${metadata.name}/${volume.name} ${files["tls.crt"]?.toString()}`),
    ...options,
  });
  onTestFinished(() => kubelet[Symbol.dispose]());
  const deliver = (text: string): void => {
    const data = { "tls.crt": base64(text) };
    if (!store.get("secrets", "default", "serving"))
      store.create("secrets", { metadata: { name: "serving" }, data });
    else store.change("secrets", "default", "serving", (current) => ({ ...current, data }));
  };
  const annotate = (name: string, value: string): void =>
    void store.change("pods", "default", name, (current) => ({
      ...current,
      metadata: { ...current.metadata, annotations: { value } },
    }));
  const phase = (name: string) => store.get("pods", "default", name)?.status?.phase;
  return { clock, store, writes, kubelet, deliver, annotate, phase };
}

test("a Pod runs once what it mounts is there", async () => {
  const { clock, store, writes, deliver, phase } = setUp();
  store.create("pods", pod("a"));
  await clock.advance(1000);
  expect([phase("a"), writes]).toEqual(["Pending", []]);
  deliver("one");
  await clock.advance(90_000);
  expect([phase("a"), writes]).toEqual(["Running", ["a/tls one"]]);
});

test("a changed Secret reaches a Pod at its next sync, and at once when the Pod is updated", async () => {
  const { clock, store, writes, deliver, annotate } = setUp();
  deliver("one");
  for (const name of ["a", "b"]) store.create("pods", pod(name));
  await clock.advance(300);
  deliver("two");
  annotate("a", "hash");
  await clock.advance(300);
  expect(writes).toEqual(["a/tls one", "b/tls one", "a/tls two"]);
  await clock.advance(75_000);
  expect(writes.slice(3)).toEqual(["b/tls two"]);
});

test("a sync that comes before the kubelet has seen the Secret writes nothing new", async () => {
  const { clock, store, writes, deliver, annotate } = setUp({ cacheLagMs: [1000, 1000] });
  deliver("one");
  store.create("pods", pod("a"));
  await clock.advance(80_000);
  deliver("two");
  annotate("a", "hash");
  await clock.advance(500);
  expect(writes).toEqual(["a/tls one"]);
  await clock.advance(80_000);
  expect(writes).toEqual(["a/tls one", "a/tls two"]);
});

test("a Pod that is deleted is gone when the kubelet has stopped it", async () => {
  const { clock, store, kubelet, deliver } = setUp();
  deliver("one");
  store.create("pods", pod("a"));
  await clock.advance(300);
  store.delete("pods", "default", "a");
  expect(store.get("pods", "default", "a")?.metadata.deletionGracePeriodSeconds).toBe(30);
  await clock.advance(300);
  expect(store.get("pods", "default", "a")).toBeUndefined();
  expect(kubelet.pods).toEqual([]);
});

test("without its kubelet a Pod that is deleted goes at the end of its grace period", async () => {
  const { clock, store, kubelet } = setUp();
  kubelet[Symbol.dispose]();
  store.create("pods", pod("a", 5));
  store.delete("pods", "default", "a");
  await clock.advance(4999);
  expect(store.get("pods", "default", "a")).toBeDefined();
  await clock.advance(1);
  expect(store.get("pods", "default", "a")).toBeUndefined();
});

test("volumes on disk are swapped as a whole", async () => {
  const directory = mkdtempSync(join(tmpdir(), "newleaf-kubelet-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const { store, kubelet, deliver } = setUp({ write: writeKubeletVolumes(directory) });
  deliver("one");
  store.create("pods", pod("a"));
  await kubelet.syncAll();
  const file = join(kubeletVolumePath(directory, "a", "tls"), "tls.crt");
  expect(readFileSync(file, "utf8")).toBe("one");
  deliver("two");
  await kubelet.syncAll();
  expect(readFileSync(file, "utf8")).toBe("two");
});
