import { expect, test } from "vitest";
import { call, configMap, configMaps } from "../../test/api-call.ts";
import { createManualClock } from "../manual-clock.ts";
import type { Fault } from "./faults.ts";
import { createKubernetesApi, type KubernetesApi, type KubernetesApiOptions } from "./kubernetes-api.ts";
import type { ApiResponse } from "./request-handler.ts";

/** A watch of ConfigMaps, read line by line. */
async function watch(api: KubernetesApi, query = "") {
  const abort = new AbortController();
  const response: ApiResponse = await api.handle({
    method: "GET",
    path: `${configMaps}?watch=1&${query || `resourceVersion=${api.store.resourceVersion}`}`,
    headers: {},
    body: undefined,
    signal: abort.signal,
  });
  const chunks = response.body[Symbol.asyncIterator]();
  return {
    abort,
    next: async (): Promise<string> => Buffer.from((await chunks.next()).value ?? "").toString(),
    line: async () => JSON.parse(Buffer.from((await chunks.next()).value).toString()),
  };
}

const create = (api: KubernetesApi, name: string, data: Record<string, string> = {}): void =>
  void api.store.create("configmaps", { metadata: { name }, data });
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const start = (options: KubernetesApiOptions = {}): KubernetesApi =>
  createKubernetesApi({ clock: createManualClock(), ...options });

test("a Status for the next request that matches, and for no other", async () => {
  const api = start();
  const fault = api.faults.once({ kind: "status", code: 429, retryAfterSeconds: 7, verbs: ["list"] });
  expect((await call(api, "GET", `${configMaps}/a`)).status).toBe(404);
  const refused = await call(api, "GET", configMaps);
  expect([refused.status, refused.body.reason, refused.headers["retry-after"]]).toEqual([
    429,
    "TooManyRequests",
    "7",
  ]);
  expect((await call(api, "GET", configMaps)).status).toBe(200);
  expect(fault.hits).toBe(1);
});

test("a refused connection, and one that is reset before or after the write", async () => {
  const api = start();
  api.faults.once({ kind: "refuse" });
  await expect(call(api, "GET", configMaps)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  api.faults.once({ kind: "reset" });
  await expect(call(api, "POST", configMaps, configMap("a"))).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(api.store.get("configmaps", "default", "a")).toBeUndefined();
  api.faults.once({ kind: "reset", when: "after" });
  await expect(call(api, "POST", configMaps, configMap("a"))).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(api.store.get("configmaps", "default", "a")).toBeDefined();
});

test("a stall lasts until it is lifted, or the client gives up", async () => {
  const api = start();
  const fault = api.faults.add({ kind: "stall", user: "system:anonymous" });
  let answered = false;
  const asked = call(api, "GET", configMaps).then(() => {
    answered = true;
  });
  await settle();
  expect(answered).toBe(false);
  fault.remove();
  await asked;
  api.faults.add({ kind: "stall" });
  const abort = new AbortController();
  const request = { method: "GET", path: configMaps, headers: {}, body: undefined, signal: abort.signal };
  const given = api.handle(request);
  abort.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
});

test("an open watch goes silent, and tells what it kept to itself when it is lifted", async () => {
  const api = start();
  const open = await watch(api);
  const fault = api.faults.add({ kind: "stall", when: "stream", verbs: ["watch"] });
  let told = false;
  const line = open.line().finally(() => {
    told = true;
  });
  create(api, "a");
  await settle();
  expect(told).toBe(false);
  fault.remove();
  expect((await line).object.metadata.name).toBe("a");
});

test("an idle watch is reset at once", async () => {
  const api = start();
  const open = await watch(api);
  const line = open.line();
  await settle();
  api.faults.once({ kind: "reset", when: "stream" });
  await expect(line).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(api.watches).toBe(0);
});

test("a line is cut in its middle, or within a character, before the connection breaks", async () => {
  for (const at of ["line", "character"] as const) {
    const api = start();
    const open = await watch(api);
    api.faults.once({ kind: "cut", at });
    create(api, "a", { k: "Zürich" });
    const half = await open.next();
    expect(half.startsWith('{"type":"ADDED"')).toBe(true);
    expect(half.endsWith("\n")).toBe(false);
    if (at === "character") expect(half.endsWith("Z\ufffd")).toBe(true);
    await expect(open.next()).rejects.toMatchObject({ code: "ECONNRESET" });
  }
});

test("a body in odd pieces is the same body", async () => {
  const api = start();
  create(api, "a", { k: "Zürich" });
  const whole = await call(api, "GET", configMaps);
  api.faults.add({ kind: "split" });
  expect((await call(api, "GET", configMaps)).body).toEqual(whole.body);
});

test("events come twice, or the one before comes again", async () => {
  const types = async (fault: Fault): Promise<string[]> => {
    const api = start();
    create(api, "a");
    const open = await watch(api);
    api.faults.add(fault);
    api.store.change("configmaps", "default", "a", (current) => ({ ...current, data: { k: "1" } }));
    const lines = [await open.line(), await open.line()];
    return lines.map(({ type, object }) => `${type} ${object.data?.k ?? ""}`);
  };
  expect(await types({ kind: "duplicate-events" })).toEqual(["MODIFIED 1", "MODIFIED 1"]);
  expect(await types({ kind: "old-events" })).toEqual(["MODIFIED 1", "MODIFIED "]);
});

test("the end of the initial events is kept back", async () => {
  const query =
    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1";
  const lines = async (faulty: boolean): Promise<string[]> => {
    const clock = createManualClock();
    const api = start({ clock });
    create(api, "a");
    if (faulty) api.faults.add({ kind: "no-initial-events-end" });
    const watched = call(api, "GET", `${configMaps}?watch=1&${query}`);
    await settle();
    await clock.advance(1000);
    return (await watched).lines.map(({ type }) => type);
  };
  expect(await lines(false)).toEqual(["ADDED", "BOOKMARK"]);
  expect(await lines(true)).toEqual(["ADDED"]);
});

test("after a restart without history an old version is 410, in the stream or as the status", async () => {
  const api = start();
  create(api, "a");
  const version = api.store.resourceVersion;
  create(api, "b");
  api.restart({ history: "lost" });
  const inStream = await watch(api, `resourceVersion=${version}`);
  expect(await inStream.line()).toMatchObject({ type: "ERROR", object: { code: 410, reason: "Expired" } });
  expect(await inStream.next()).toBe("");
  api.faults.expiredAsStatus = true;
  expect((await call(api, "GET", `${configMaps}?watch=1&resourceVersion=${version}`)).status).toBe(410);
});

test("a restart ends watches, and with its history they go on where they were", async () => {
  const api = start();
  const version = api.store.resourceVersion;
  const open = await watch(api);
  api.restart();
  expect(await open.next()).toBe("");
  create(api, "a");
  expect((await (await watch(api, `resourceVersion=${version}`)).line()).object.metadata.name).toBe("a");
});

test("bookmarks come at their interval, at the version of the whole store", async () => {
  const clock = createManualClock();
  const api = start({ clock, bookmarkMs: 1000 });
  const open = await watch(api, `resourceVersion=${api.store.resourceVersion}&allowWatchBookmarks=true`);
  api.store.create("secrets", { metadata: { name: "other" } });
  await clock.advance(1000);
  expect(await open.line()).toMatchObject({
    type: "BOOKMARK",
    object: { kind: "ConfigMap", metadata: { resourceVersion: api.store.resourceVersion } },
  });
});

test("the server's clock is off", async () => {
  const clock = createManualClock(Date.UTC(2030, 0, 1));
  const api = start({ clock });
  api.faults.skewMs = 60_000;
  create(api, "a");
  expect(api.store.get("configmaps", "default", "a")?.metadata.creationTimestamp).toBe(
    "2030-01-01T00:01:00Z",
  );
});
