import { create } from "@bufbuild/protobuf";
import { type DeltaDiscoveryRequest, DeltaDiscoveryRequestSchema } from "@newleaf/proto";
import { expect, test } from "vitest";
import { certificateContent } from "../test/secrets.ts";
import { createDeltaStream } from "./delta-stream.ts";
import { createSecretStore } from "./secret-store.ts";

function begin(...names: string[]) {
  const store = createSecretStore();
  const stream = createDeltaStream({ maxNames: 3 });
  const publish = (name: string, number: number) =>
    void store.publish(new Map([[name, certificateContent(number)]]));
  for (const [index, name] of names.entries()) publish(name, index);
  return {
    store,
    stream,
    publish,
    next: () => stream.next(store.get),
    say: (fields: Partial<DeltaDiscoveryRequest>) =>
      stream.receive(create(DeltaDiscoveryRequestSchema, fields as object)),
  };
}

test("each secret has a version of its own, and an update holds what has changed", () => {
  const { next, say, publish, store } = begin("a", "b");
  say({ resourceNamesSubscribe: ["a", "b"] });
  expect(next()?.resources.map(({ name, version }) => [name, version])).toEqual([
    ["a", store.get("a")?.version],
    ["b", store.get("b")?.version],
  ]);
  publish("a", 7);
  expect(next()?.resources.map(({ name }) => name)).toEqual(["a"]);
  expect(say({ responseNonce: "2" })).toMatchObject({ verdicts: [{ ok: true, name: "a" }] });
  expect(say({ responseNonce: "1" })).toMatchObject({ verdicts: [{ name: "a" }, { name: "b" }] });
  expect(next()).toBeUndefined();
});

test("a client that comes back is sent only what it has not", () => {
  const { next, say, store } = begin("a", "b");
  const initialResourceVersions = { a: store.get("a")!.version, b: "older", c: "gone" };
  const heard = say({ resourceNamesSubscribe: ["a", "b", "c"], initialResourceVersions });
  expect(heard).toMatchObject({ held: ["a", "b", "c"] });
  expect(next()).toMatchObject({ resources: [{ name: "b" }], removedResources: [] });
});

test("a name that is asked for again is answered again; of a missing one nothing is said until it appears", () => {
  const { next, say, publish } = begin("a");
  say({ resourceNamesSubscribe: ["a", "x"] });
  expect(next()).toMatchObject({ resources: [{ name: "a" }], removedResources: [] });
  expect(next()).toBeUndefined();
  say({ resourceNamesSubscribe: ["a", "x"] });
  expect(next()).toMatchObject({ resources: [{ name: "a" }], removedResources: [] });
  publish("x", 4);
  expect(next()).toMatchObject({ resources: [{ name: "x" }], removedResources: [] });
});

test("what was never asked for can be given up, and what was given up is not sent", () => {
  const { next, say, publish } = begin("a");
  say({ resourceNamesSubscribe: ["a"] });
  next();
  expect(say({ resourceNamesUnsubscribe: ["a", "phantom"] }).ok).toBe(true);
  publish("a", 3);
  expect(next()).toBeUndefined();
});

test("subscriptions count whatever the nonce, refusals only for what they refuse", () => {
  const { next, say, stream } = begin("a", "b");
  say({ resourceNamesSubscribe: ["a"] });
  next();
  const errorDetail = { code: 3, message: "no" } as DeltaDiscoveryRequest["errorDetail"] & object;
  expect(say({ resourceNamesSubscribe: ["b"], responseNonce: "99", errorDetail })).toMatchObject({
    verdicts: [],
  });
  expect(next()).toMatchObject({ resources: [{ name: "b" }] });
  say({ responseNonce: "2", errorDetail });
  expect(stream.subscriptions.get("b")?.refused?.message).toBe("no");
  expect(next()).toBeUndefined();
});

test("the wildcard stands for nothing, and there is a limit on names", () => {
  const { next, say } = begin("a");
  expect(say({ resourceNamesSubscribe: ["*"] }).ok).toBe(true);
  expect(next()).toBeUndefined();
  expect(say({ resourceNamesSubscribe: ["a", "b", "c"] }).ok).toBe(true);
  expect(say({ resourceNamesSubscribe: ["d"] })).toMatchObject({ ok: false, code: "limit" });
});
