import { once } from "node:events";
import https from "node:https";
import { createManualClock } from "@newleaf/testing";
import { applyPatch } from "rfc6902";
import { expect, test } from "vitest";
import { answerTo, reviewOf, startAdmissionServer } from "../test/admission-server.ts";
import { createAdmissionHandler } from "./admission.ts";
import type { AdmissionRequest } from "./admission-review.ts";
import { verdict } from "./admission-verdict.ts";

const uid = "705ab4f5-6393-11e8-b7cc-42010a800002";
const allowAll = () => verdict.allow();
/** Never answers. */
const hang = () => new Promise<never>(() => {});

test("a request is shown whole, and allowed with what goes with it", async () => {
  const seen: AdmissionRequest[] = [];
  await using server = await startAdmissionServer({
    validate(request) {
      seen.push(request);
      return verdict.allow({ warnings: ["beware"], auditAnnotations: { policy: "none", "a/b": "left out" } });
    },
  });
  const { status, body, headers } = await server.ask(reviewOf({ subResource: "scale", dryRun: true }));
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("application/json");
  expect(body).toEqual({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, allowed: true, warnings: ["beware"], auditAnnotations: { policy: "none" } },
  });
  expect(seen).toMatchObject([
    {
      uid,
      kind: { group: "apps", version: "v1", kind: "Deployment" },
      resource: { group: "apps", version: "v1", resource: "deployments" },
      subResource: "scale",
      operation: "UPDATE",
      name: "web",
      namespace: "shop",
      userInfo: { username: "admin", groups: ["system:authenticated"], extra: { key: ["a", "b"] } },
      object: { metadata: { name: "web" } },
      oldObject: { metadata: { name: "web" } },
      options: { kind: "UpdateOptions" },
      dryRun: true,
    },
  ]);
  expect(server.logged).toMatchObject([
    { level: "warn", fields: { keys: ["a/b"] } },
    { level: "debug", fields: { path: "/validate", uid, outcome: "allowed", user: "admin", name: "web" } },
  ]);
});

test("a denial has message, code and reason, and is logged at info", async () => {
  await using server = await startAdmissionServer({
    validate: () => verdict.deny("subPath is never updated", { code: 422, reason: "Invalid" }),
    routes: {
      "/plain": { validate: () => verdict.deny("no") },
      "/odd": { validate: () => verdict.deny("no", { code: 200 }) },
    },
  });
  const { status, body } = await server.ask(reviewOf());
  expect(status).toBe(200);
  expect(body.response).toEqual({
    uid,
    allowed: false,
    status: { status: "Failure", message: "subPath is never updated", code: 422, reason: "Invalid" },
  });
  for (const path of ["/plain", "/odd"]) {
    expect((await server.ask(reviewOf(), { path })).body.response.status).toMatchObject({
      code: 403,
      reason: "Forbidden",
    });
  }
  expect(server.logged[0]).toMatchObject({ level: "info", fields: { outcome: "denied", reason: "Invalid" } });
  expect(server.records[0]).toMatchObject({ path: "/validate", kind: "Deployment", operation: "UPDATE" });
});

test("a change is sent as a JSON patch, given or computed; none is sent where nothing changes", async () => {
  const patch = [{ op: "add", path: "/metadata/labels", value: { a: "é" } }] as const;
  await using server = await startAdmissionServer({
    mutate: () => verdict.mutate({ patch }),
    routes: {
      "/computed": {
        mutate({ object }) {
          const after = structuredClone(object!);
          after.metadata!.labels = { a: "é" };
          return verdict.mutate({ before: object!, after });
        },
      },
      "/same": {
        mutate: ({ object }) => verdict.mutate({ before: object!, after: structuredClone(object!) }),
      },
    },
  });
  for (const path of ["/mutate", "/computed"]) {
    const { response } = (await server.ask(reviewOf(), { path })).body;
    expect(response).toMatchObject({ uid, allowed: true, patchType: "JSONPatch" });
    const object = { metadata: {} };
    applyPatch(object, JSON.parse(String(Buffer.from(response.patch, "base64"))));
    expect(object).toEqual({ metadata: { labels: { a: "é" } } });
  }
  expect((await server.ask(reviewOf(), { path: "/same" })).body.response).toEqual({ uid, allowed: true });
  expect(server.records.map(({ outcome }) => outcome)).toEqual(["mutated", "mutated", "allowed"]);
});

test("what is no review is refused with a Status that says why", async () => {
  await using server = await startAdmissionServer({ validate: allowAll, maxBytes: 1_000 });
  const answers = [
    await server.ask(reviewOf(), { path: "/other" }),
    await server.ask("", { method: "GET" }),
    await server.ask(reviewOf(), { headers: { "content-type": "application/yaml" } }),
    await server.ask(reviewOf(), { headers: { "content-encoding": "gzip" } }),
    await server.ask(reviewOf({ name: "x".repeat(1_000) })),
    await server.ask(reviewOf({ name: "x".repeat(1_000) }), { headers: { "transfer-encoding": "chunked" } }),
    await server.ask(Buffer.from(JSON.stringify(reviewOf({ name: "\xff" })), "latin1")),
    await server.ask({ ...reviewOf(), apiVersion: "admission.k8s.io/v1beta1" }),
    await server.ask({ kind: "ConversionReview", apiVersion: "apiextensions.k8s.io/v1" }),
    await server.ask({ kind: "TokenReview", apiVersion: "authentication.k8s.io/v1" }),
  ];
  for (const { body } of answers) expect(body).toMatchObject({ kind: "Status", status: "Failure" });
  expect(answers.map(({ status, body }) => [status, body.code, body.reason])).toEqual(
    [
      [404, "NotFound"],
      [405, "MethodNotAllowed"],
      [415, "UnsupportedMediaType"],
      [415, "UnsupportedMediaType"],
      [413, "RequestEntityTooLarge"],
      [413, "RequestEntityTooLarge"],
      [400, "BadRequest"],
      [400, "BadRequest"],
      [400, "BadRequest"],
      [400, "BadRequest"],
    ].map(([code, reason]) => [code, code, reason]),
  );
  expect(answers[1]!.headers.allow).toBe("POST");
  expect(answers[7]!.body.message).toContain('admissionReviewVersions: ["v1"]');
  expect(answers[8]!.body.message).toContain("ConversionReview is left out");
  expect(answers[9]!.body.message).toContain("TokenReview is left out");
  expect(server.records.map(({ outcome }) => outcome)).toEqual(Array(9).fill("refused"));
});

test("a body that is far too large is answered, although it is still being sent", async () => {
  await using server = await startAdmissionServer({ validate: allowAll, maxBytes: 1_000 });
  const { status } = await server.ask("x".repeat(20 * 2 ** 20));
  expect(status).toBe(413);
});

test("a reviewer that throws, or gives no verdict, is a 500 and never a consent; nothing of the object is logged", async () => {
  const wrong = {
    "/throws": () => {
      throw new Error("the password is hunter2");
    },
    "/rejects": () => Promise.reject("hunter2"),
    "/nothing": () => undefined,
    "/other": () => ({ kind: "allowed" }),
    "/cyclic": () => {
      const value: { self?: object } = {};
      value.self = value;
      return verdict.mutate({ patch: [{ op: "add", path: "/a", value }] });
    },
  };
  await using server = await startAdmissionServer({
    routes: {
      ...Object.fromEntries(
        Object.entries(wrong).map(([path, mutate]) => [path, { mutate: mutate as never }]),
      ),
      "/validating": { validate: (() => verdict.mutate({ patch: [] })) as never },
    },
  });
  for (const path of [...Object.keys(wrong), "/validating"]) {
    const { status, body } = await server.ask(reviewOf({ object: { data: { a: "hunter2" } } }), { path });
    expect([path, status]).toEqual([path, 500]);
    expect(body).toMatchObject({ kind: "Status", code: 500, reason: "InternalError" });
    expect(JSON.stringify(body)).not.toContain("hunter2");
  }
  expect(new Set(server.records.map(({ outcome }) => outcome))).toEqual(new Set(["failed"]));
  expect(JSON.stringify(server.logged)).not.toContain("hunter2");
  expect(server.logged.map(({ message }) => message)).toContain("admission reviewer failed");
});

test("a reviewer that hangs is answered before the API server gives up, and is told", async () => {
  const clock = createManualClock();
  const asked: AbortSignal[] = [];
  let arrived: () => void;
  await using server = await startAdmissionServer({
    clock,
    timeoutMs: 20_000,
    validate(_request, { signal }) {
      asked.push(signal);
      arrived();
      return hang();
    },
  });
  for (const [query, beforeMs] of [
    ["?timeout=10s", 9_000],
    ["?timeout=1s", 900],
    ["?timeout=30s", 20_000],
    ["", 20_000],
    ["?timeout=soon", 20_000],
    ["?timeout=1m0s", 20_000],
    ["?timeout=500ms", 400],
  ] as const) {
    const hasArrived = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const answer = server.ask(reviewOf(), { path: `/validate${query}` });
    await hasArrived;
    await clock.advance(beforeMs - 1);
    expect(asked.at(-1)!.aborted, query).toBe(false);
    await clock.advance(1);
    expect(asked.at(-1)!.reason).toMatchObject({ name: "TimeoutError" });
    const { status, body } = await answer;
    expect([status, body.reason]).toEqual([500, "Timeout"]);
  }
  expect(clock.pending).toBe(0);
  expect(server.records.map(({ outcome, durationMs }) => [outcome, durationMs])[0]).toEqual([
    "timed-out",
    9_000,
  ]);
});

test("a body that does not arrive is answered with 408", async () => {
  const clock = createManualClock();
  await using server = await startAdmissionServer({ clock, validate: allowAll, bodyTimeoutMs: 3_000 });
  const request = server.open({ headers: { "content-length": "100" } });
  request.write("{");
  await once(server.server, "request");
  const answer = answerTo(request);
  await clock.advance(3_000);
  const { status, body, headers } = await answer;
  expect([status, body.reason, headers.connection]).toEqual([408, "Timeout", "close"]);
  request.destroy();
});

test("an API server that goes away aborts the review", async () => {
  let whenAborted: Promise<unknown> | undefined;
  let arrived = (): void => {};
  const hasArrived = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  await using server = await startAdmissionServer({
    validate(_request, { signal }) {
      whenAborted = once(signal, "abort").then(() => signal.reason);
      arrived();
      return hang();
    },
  });
  const request = server.open().on("error", () => {});
  request.end(JSON.stringify(reviewOf()));
  await hasArrived;
  const recorded = server.whenRecorded();
  request.destroy();
  expect(await whenAborted).toMatchObject({ name: "AbortError" });
  expect((await recorded).outcome).toBe("abandoned");
});

test("a review under way is answered by a server that closes, and by one whose certificate changes", async () => {
  const decide: (() => void)[] = [];
  let arrived = (): void => {};
  await using server = await startAdmissionServer({
    validate: () =>
      new Promise((resolve) => {
        decide.push(() => resolve(verdict.allow()));
        arrived();
      }),
  });
  for (const end of [server.rotate, () => server.server.close()]) {
    const hasArrived = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const agent = new https.Agent();
    const answer = server.ask(reviewOf(), { agent });
    await hasArrived;
    end();
    decide.shift()!();
    expect((await answer).body.response).toEqual({ uid, allowed: true });
  }
});

test("what counts reviews may throw", async () => {
  await using server = await startAdmissionServer({
    validate: allowAll,
    onReview() {
      throw new Error("full");
    },
  });
  expect((await server.ask(reviewOf())).status).toBe(200);
  expect((await server.ask(reviewOf())).status).toBe(200);
  expect(server.logged.map(({ message }) => message)).toContain("what counts admission reviews failed");
});

test("options that would answer nothing are refused", () => {
  const route = { validate: allowAll };
  for (const options of [
    {},
    { routes: { "/a?b": route } },
    { validate: allowAll, routes: { "/validate": route } },
  ]) {
    expect(() => createAdmissionHandler(options)).toThrow(
      expect.objectContaining({ code: "ERR_WEBHOOK_OPTIONS" }),
    );
  }
});
