import { status } from "@grpc/grpc-js";
import { systemClock } from "@newleaf/daemon";
import { expect, test } from "vitest";
import { whenAcknowledged } from "../src/acknowledged.ts";
import { inlineText, secretsOf } from "./sds-client.ts";
import { certificateContent } from "./secrets.ts";
import { startSds } from "./start-sds.ts";

const node = { id: "envoy-1", cluster: "shop" };
const waitFor = (timeoutMs = 5_000) => ({
  signal: new AbortController().signal,
  timeoutMs,
  clock: systemClock,
});

test("both protocols carry the same secret, encoded once, to every stream", async () => {
  await using sds = await startSds();
  const { store } = sds.server;
  store.publish(new Map([["web", certificateContent(0)]]));
  const streams = [sds.client.sotw(), sds.client.sotw()];
  for (const stream of streams) stream.send({ node, resourceNames: ["web"] } as object);
  const delta = sds.client.delta();
  delta.send({ node, resourceNamesSubscribe: ["web"] } as object);
  const responses = await Promise.all([...streams.map((stream) => stream.next()), delta.next()]);
  const fetched = await sds.client.fetch({ resourceNames: ["web", "unknown"] });
  for (const response of [...responses, fetched]) {
    const secret = secretsOf(response).get("web");
    expect(secret?.type.case).toBe("tlsCertificate");
    if (secret?.type.case !== "tlsCertificate") continue;
    expect(inlineText(secret.type.value.certificateChain)).toContain("BEGIN CERTIFICATE");
    expect(inlineText(secret.type.value.privateKey)).toContain("BEGIN PRIVATE KEY");
  }
  expect(store.encodings).toBe(1);
  expect(sds.server.subscribers.size).toBe(3);
  expect([...sds.server.subscribers].map((each) => each.node)).toEqual(["envoy-1", "envoy-1", "envoy-1"]);
});

test("a name that is not there yet ends nothing and is sent when it comes", async () => {
  await using sds = await startSds();
  const stream = sds.client.sotw();
  stream.send({ node, resourceNames: ["later"] } as object);
  await expect.poll(() => sds.server.check().details).toMatchObject({ missing: { later: 1 } });
  sds.server.store.publish(new Map([["later", certificateContent(0)]]));
  expect(secretsOf(await stream.next()).has("later")).toBe(true);
});

test("a rotation is waited for until all have taken it over; a refusal says why in Envoy's words", async () => {
  await using sds = await startSds();
  const { store, subscribers } = sds.server;
  store.publish(new Map([["web", certificateContent(0)]]));
  const [one, two] = [sds.client.sotw(), sds.client.delta()];
  one.send({ node, resourceNames: ["web"] } as object);
  two.send({ node: { id: "envoy-2" }, resourceNamesSubscribe: ["web"] } as object);
  const [first, second] = [await one.next(), await two.next()];
  one.send({ resourceNames: ["web"], responseNonce: first.nonce, versionInfo: first.versionInfo });
  two.send({ responseNonce: second.nonce });
  await whenAcknowledged(subscribers, ["web"], waitFor());

  store.publish(new Map([["web", certificateContent(1)]]));
  await expect(whenAcknowledged(subscribers, ["web"], waitFor(50))).rejects.toThrow(
    /Envoy envoy-1 and 1 other streams did not answer/,
  );
  const waiting = whenAcknowledged(subscribers, ["web"], waitFor());
  one.send({ resourceNames: ["web"], responseNonce: (await one.next()).nonce });
  const refused = await two.next();
  two.send({
    responseNonce: refused.nonce,
    errorDetail: { code: 13, message: "Failed to load private key" },
  } as object);
  await expect(waiting).rejects.toThrow("Envoy envoy-2 refused web: Failed to load private key");
  expect(sds.server.check()).toMatchObject({
    ok: true,
    details: {
      streams: 2,
      refused: [{ secret: "web", node: "envoy-2", message: "Failed to load private key" }],
    },
  });

  const left = whenAcknowledged(subscribers, ["web"], waitFor());
  await expect(left).rejects.toThrow("refused web");
  two.cancel();
  await expect.poll(() => subscribers.size).toBe(1);
  await whenAcknowledged(subscribers, ["web"], waitFor());
});

test("a client that does not read is sent the newest and nothing in between", async () => {
  await using sds = await startSds();
  const { store } = sds.server;
  const stream = sds.client.sotw();
  store.publish(new Map([["web", certificateContent(0)]]));
  stream.send({ node, resourceNames: ["web"] } as object);
  await stream.next();
  stream.pause();
  for (let round = 0; round < 2_000; round += 1) {
    store.publish(new Map([["web", certificateContent(round % 30)]]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  store.publish(new Map([["web", certificateContent(31)]]));
  stream.resume();
  let received = 0;
  for (let version = ""; version !== store.get("web")?.version; received += 1) {
    version = (await stream.next()).versionInfo;
  }
  // What fits into the buffers of HTTP/2 and of the client's own is on its way already.
  expect(received).toBeLessThan(500);
});

test("limits: streams, names, types; a refused stream says why and the others go on", async () => {
  await using sds = await startSds({ limits: { maxStreams: 2, maxNames: 2 } });
  const [good, bad, third] = [sds.client.sotw(), sds.client.sotw(), sds.client.sotw()];
  good.send({ node, resourceNames: ["web"] } as object);
  bad.send({ node, resourceNames: ["a", "b", "c"] } as object);
  third.send({ node, resourceNames: ["a"] } as object);
  expect(await third.ended).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: /more than 2 streams/,
  });
  expect(await bad.ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: /more than 2 names/ });
  await expect(sds.client.fetch({ typeUrl: "other" })).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });
  const huge = sds.client.sotw();
  huge.send({ node, resourceNames: ["x".repeat(2_000_000)] } as object);
  expect((await huge.ended).code).toBe(status.RESOURCE_EXHAUSTED);
  sds.server.store.publish(new Map([["web", certificateContent(0)]]));
  expect(secretsOf(await good.next()).has("web")).toBe(true);
});

test("at the end streams are told, clients keep what they have, and nothing is left", async () => {
  const sds = await startSds();
  const stream = sds.client.sotw();
  stream.send({ node, resourceNames: ["web"] } as object);
  await expect.poll(() => sds.server.subscribers.size).toBe(1);
  await sds.server[Symbol.asyncDispose]();
  expect(await stream.ended).toMatchObject({ code: status.UNAVAILABLE, details: /shutting down/ });
  expect(sds.server.subscribers.size).toBe(0);
  await sds[Symbol.asyncDispose]();
});
