import { create } from "@bufbuild/protobuf";
import { type DiscoveryRequest, DiscoveryRequestSchema } from "@newleaf/proto";
import { expect, test } from "vitest";
import { certificateContent } from "../test/secrets.ts";
import { SECRET_TYPE } from "./encode-secret.ts";
import { createSecretStore } from "./secret-store.ts";
import { createSotwStream } from "./sotw-stream.ts";

const request = (fields: Partial<DiscoveryRequest>) =>
  create(DiscoveryRequestSchema, { typeUrl: SECRET_TYPE, ...fields } as object);
const refusal = (message: string) => ({ errorDetail: { code: 3, message } }) as Partial<DiscoveryRequest>;

function begin(...names: string[]) {
  const store = createSecretStore();
  const stream = createSotwStream({ maxNames: 3 });
  const publish = (name: string, number: number) =>
    void store.publish(new Map([[name, certificateContent(number)]]));
  for (const [index, name] of names.entries()) publish(name, index);
  return {
    store,
    stream,
    publish,
    next: () => stream.next(store.get),
    say: (fields: Partial<DiscoveryRequest>) => stream.receive(request(fields)),
  };
}

test("sends what is asked for once, and nothing in answer to an acknowledgement", () => {
  const { next, say, stream } = begin("a", "b");
  expect(say({ resourceNames: ["a", "b"] })).toEqual({ ok: true, verdicts: [], held: [] });
  const response = next();
  expect(response).toMatchObject({ nonce: "1", typeUrl: SECRET_TYPE });
  expect(response?.resources).toHaveLength(2);
  const acknowledged = say({
    resourceNames: ["a", "b"],
    responseNonce: "1",
    versionInfo: response!.versionInfo,
  });
  expect(acknowledged).toMatchObject({
    ok: true,
    verdicts: [
      { ok: true, name: "a" },
      { ok: true, name: "b" },
    ],
  });
  expect(next()).toBeUndefined();
  expect(stream.subscriptions.get("a")?.acknowledged).toBeDefined();
});

test("an update holds what has changed alone, and a slow stream gets the newest alone", () => {
  const { next, say, publish, store } = begin("a", "b");
  say({ resourceNames: ["a", "b"] });
  next();
  publish("b", 5);
  publish("b", 6);
  const response = next();
  expect(response?.resources).toEqual([store.get("b")?.resource]);
  expect(response?.versionInfo).toBe(store.get("b")?.version);
  expect(next()).toBeUndefined();
});

test("a name that there is nothing of is silent, ends nothing, and is sent when it appears", () => {
  const { next, say, publish } = begin();
  expect(say({ resourceNames: ["a"] }).ok).toBe(true);
  expect(next()).toBeUndefined();
  publish("a", 0);
  expect(next()?.resources).toHaveLength(1);
});

test("a refusal is kept in the client's words, and only another version is sent again", () => {
  const { next, say, publish, stream } = begin("a");
  say({ resourceNames: ["a"] });
  next();
  const answer = say({ resourceNames: ["a"], responseNonce: "1", ...refusal("key values mismatch") });
  expect(answer).toMatchObject({ verdicts: [{ ok: false, name: "a", message: "key values mismatch" }] });
  expect(next()).toBeUndefined();
  expect(stream.subscriptions.get("a")?.refused?.message).toBe("key values mismatch");
  publish("a", 1);
  expect(next()?.nonce).toBe("2");
  say({ resourceNames: ["a"], responseNonce: "2" });
  expect(stream.subscriptions.get("a")?.refused).toBeUndefined();
});

test("a request that crossed a response counts for what it answers, not for its names", () => {
  const { next, say, publish, stream } = begin("a", "b");
  say({ resourceNames: ["a"] });
  next();
  publish("a", 3);
  expect(next()?.nonce).toBe("2");
  expect(say({ resourceNames: ["a", "b"], responseNonce: "1" })).toMatchObject({ verdicts: [{ ok: true }] });
  expect(next()).toBeUndefined();
  expect(say({ resourceNames: ["b"], responseNonce: "7" })).toMatchObject({ verdicts: [] });
  expect(stream.subscriptions.has("a")).toBe(true);
  say({ resourceNames: ["a", "b"], responseNonce: "2" });
  expect(next()?.resources).toHaveLength(1);
});

test("what is dropped and asked for again is sent again", () => {
  const { next, say } = begin("a");
  say({ resourceNames: ["a"] });
  next();
  say({ resourceNames: [], responseNonce: "1" });
  expect(next()).toBeUndefined();
  say({ resourceNames: ["a"], responseNonce: "1" });
  expect(next()?.resources).toHaveLength(1);
});

test("a client that comes back with a version is known to have the secrets it names", () => {
  const { say } = begin("a");
  expect(say({ resourceNames: ["a", "gone"], versionInfo: "abc" })).toMatchObject({ held: ["a", "gone"] });
  expect(say({ resourceNames: ["a", "gone", "c"], versionInfo: "abc" })).toMatchObject({ held: [] });
});

test("other types, too many names and names beyond the limit are refused", () => {
  const { say } = begin();
  expect(say({ typeUrl: "type.googleapis.com/x" })).toMatchObject({ ok: false, code: "invalid" });
  expect(say({ resourceNames: ["a", "b", "c", "d"] })).toMatchObject({ ok: false, code: "limit" });
  expect(say({ resourceNames: ["a".repeat(3000)] })).toMatchObject({ ok: false, code: "invalid" });
  expect(say({ resourceNames: ["a", "a", "b", "c"], typeUrl: "" })).toMatchObject({ ok: true });
});
