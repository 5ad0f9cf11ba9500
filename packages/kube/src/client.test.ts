import { getEventListeners } from "node:events";
import { createManualClock } from "@newleaf/testing";
import { describe, expect, it } from "vitest";
import { createKubeClient, type KubeClient, type KubeClientOptions } from "./client.ts";
import { resources } from "./resources.ts";
import type { KubeRequest, KubeTransport } from "./transport.ts";

describe("paths, queries and bodies", () => {
  it("reads an object of a group in its namespace", async () => {
    const { client, sent } = connect(() => json(200, { kind: "Deployment" }));
    const answer = await client.resource(resources.deployments, { namespace: "shop" }).get("cart");
    expect(answer).toEqual({ ok: true, value: { kind: "Deployment" } });
    expect(sent).toMatchObject([{ method: "GET", path: "/apis/apps/v1/namespaces/shop/deployments/cart" }]);
    expect(sent[0]?.headers).toMatchObject({ accept: "application/json", "user-agent": "newleaf" });
  });

  it("lists all namespaces of the core group, page by page", async () => {
    const { client, sent } = connect(() =>
      json(200, {
        kind: "PodList",
        metadata: { resourceVersion: "7", continue: "c", remainingItemCount: 3 },
        items: [{}],
      }),
    );
    const answer = await client.resource(resources.pods).list({ labelSelector: "a=b,c in (d)", limit: 1 });
    expect(sent[0]?.path).toBe("/api/v1/pods?labelSelector=a%3Db%2Cc%20in%20(d)&limit=1");
    expect(answer).toEqual({
      ok: true,
      value: {
        items: [{ apiVersion: "v1", kind: "Pod" }],
        metadata: { resourceVersion: "7", continue: "c", remainingItemCount: 3 },
      },
    });
  });

  it("reads a list without items, which Go writes as null", async () => {
    const { client } = connect(() => json(200, { kind: "PodList", metadata: {}, items: null }));
    expect(await client.resource(resources.pods).list()).toMatchObject({ ok: true, value: { items: [] } });
  });

  it("creates, replaces, patches, applies and deletes", async () => {
    const { client, sent } = connect(() => json(200, { kind: "Status", status: "Success" }));
    const secrets = client.resource(resources.secrets, { namespace: "shop" });
    const secret = { metadata: { name: "tls", resourceVersion: "3" } };
    await secrets.create(secret, { dryRun: true, fieldManager: "me" });
    await secrets.update(secret, { subresource: "status" });
    await secrets.patch("tls", { type: "json", body: [{ op: "remove", path: "/data" }] });
    await secrets.patch("tls", { type: "merge", body: {} });
    await secrets.patch("tls", { type: "strategic", body: {} });
    await secrets.apply(secret, { fieldManager: "me", force: true });
    const deleted = await secrets.delete("tls", {
      preconditions: { uid: "u" },
      propagationPolicy: "Foreground",
    });
    await secrets.delete("tls");

    const collection = "/api/v1/namespaces/shop/secrets";
    expect(sent.map(({ method, path, headers }) => [method, path, headers["content-type"]])).toEqual([
      ["POST", `${collection}?dryRun=All&fieldManager=me`, "application/json"],
      ["PUT", `${collection}/tls/status`, "application/json"],
      ["PATCH", `${collection}/tls`, "application/json-patch+json"],
      ["PATCH", `${collection}/tls`, "application/merge-patch+json"],
      ["PATCH", `${collection}/tls`, "application/strategic-merge-patch+json"],
      ["PATCH", `${collection}/tls?fieldManager=me&force=true`, "application/apply-patch+yaml"],
      ["DELETE", `${collection}/tls`, "application/json"],
      ["DELETE", `${collection}/tls`, undefined],
    ]);
    expect(JSON.parse(sent[0]?.body ?? "")).toEqual({ apiVersion: "v1", kind: "Secret", ...secret });
    expect(JSON.parse(sent[6]?.body ?? "")).toEqual({
      apiVersion: "v1",
      kind: "DeleteOptions",
      preconditions: { uid: "u" },
      propagationPolicy: "Foreground",
    });
    expect(deleted).toEqual({ ok: true, value: undefined });
  });

  it("leaves the kind of a subresource's object alone", async () => {
    const { client, sent } = connect(() => json(200, {}));
    const scale = { metadata: { name: "cart", namespace: "shop" }, spec: { replicas: 3 } };
    await client.resource(resources.deployments).update(scale as never, { subresource: "scale" });
    expect(sent[0]?.path).toBe("/apis/apps/v1/namespaces/shop/deployments/cart/scale");
    expect(JSON.parse(sent[0]?.body ?? "")).toEqual(scale);
  });

  it.each(["", ".", "..", "a/b", "a%2fb"])(
    "refuses the name %j, whose path would be of something else",
    async (name) => {
      const { client, sent } = connect(() => json(200, {}));
      const pods = client.resource(resources.pods, { namespace: "shop" });
      await expect(pods.delete(name)).rejects.toMatchObject({ code: "ERR_KUBE_CONFIG" });
      expect(sent).toEqual([]);
    },
  );

  it("refuses one object of a namespaced resource where no namespace is known", async () => {
    const { client } = connect(() => json(200, {}));
    await expect(client.resource(resources.pods).get("a")).rejects.toMatchObject({ code: "ERR_KUBE_CONFIG" });
  });

  it("requests raw paths, of which some answer with text", async () => {
    const { client, sent } = connect((request) =>
      request.path === "/readyz"
        ? answerOf(200, { "content-type": "text/plain" }, "ok")
        : json(201, { status: { allowed: true } }),
    );
    expect(await client.request({ path: "/readyz" })).toEqual({ ok: true, value: "ok" });
    const review = await client.request({ method: "POST", path: "/apis/x", body: { spec: {} } });
    expect(review).toEqual({ ok: true, value: { status: { allowed: true } } });
    expect(sent[1]?.body).toBe('{"spec":{}}');
  });
});

it.each(["version", "/a b", "/ü", ""])("refuses the raw path %j", async (path) => {
  const { client } = connect(() => json(200, {}));
  await expect(client.request({ path })).rejects.toMatchObject({ code: "ERR_KUBE_CONFIG" });
});

describe("refusals", () => {
  it("are values with reason, details, when to try again, and the id in the server's log", async () => {
    const details = { name: "a", kind: "pods", retryAfterSeconds: 2 };
    const { client } = connect(() =>
      json(
        409,
        { kind: "Status", code: 409, reason: "Conflict", message: "changed", details },
        { "audit-id": "x" },
      ),
    );
    expect(await client.resource(resources.pods, { namespace: "n" }).get("a")).toEqual({
      ok: false,
      status: {
        code: 409,
        reason: "Conflict",
        message: "changed",
        retryAfterMs: 2000,
        details,
        requestId: "x",
      },
    });
  });

  it.each([
    ["3", 3000],
    ["Tue, 01 Jan 2030 00:00:05 GMT", 5000],
    ["Mon, 31 Dec 2029 00:00:00 GMT", 0],
    ["soon", undefined],
  ])("say when to try again: Retry-After %j", async (header, ms) => {
    const { client } = connect(() =>
      json(429, { kind: "Status", reason: "TooManyRequests" }, { "retry-after": header }),
    );
    expect(await client.request({ path: "/x" })).toMatchObject({ status: { code: 429, retryAfterMs: ms } });
  });

  it("of a proxy have its words", async () => {
    const { client } = connect(() =>
      answerOf(502, { "content-type": "text/html" }, `<h1>bad\n gateway</h1>${"x".repeat(9999)}`),
    );
    const answer = await client.request({ path: "/x" });
    expect(answer).toMatchObject({ ok: false, status: { code: 502, reason: "Unknown" } });
    const message = answer.ok ? "" : answer.status.message;
    expect(message).toMatch(/^502 Bad Gateway: <h1>bad gateway<\/h1>x+$/);
    expect(message.length).toBeLessThan(250);
  });

  it("that claim success but are no JSON are errors, which do not quote them", async () => {
    const { client } = connect(() => json(200, undefined, {}, '{"data": "c2VjcmV0'));
    const secrets = client.resource(resources.secrets, { namespace: "n" });
    const failure = await secrets.get("a").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "ERR_KUBE_PROTOCOL" });
    expect(String(failure)).not.toContain("c2Vj");
  });
});

describe("deadlines, limits and signals", () => {
  it.each(["headers", "body"])("ends a request whose %s do not come", async (part) => {
    const clock = createManualClock();
    const { client, sent } = connect(
      () => (part === "headers" ? never() : json(200, {}, {}, '{"a":', true)),
      { clock },
    );
    const failure = client.request({ path: "/x?token=1" }).catch((error: unknown) => error);
    await clock.advance(29_999);
    expect(sent[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await failure).toMatchObject({
      code: "ERR_KUBE_TIMEOUT",
      message: "GET https://kube.test/x: not finished within 30000 ms",
    });
    expect(sent[0]?.signal.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("ends with the caller's signal and its reason", async () => {
    const { client, sent } = connect(never);
    const controller = new AbortController();
    const pending = client.request({ path: "/x", signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(sent[0]?.signal.aborted).toBe(true);
    await expect(client.request({ path: "/x", signal: controller.signal })).rejects.toBe(reason);
  });

  it("takes one signal for many requests, and does not hold on to it", async () => {
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(warning.message);
    process.on("warning", note);
    const { client } = connect(() => json(200, {}));
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => client.request({ path: "/x", signal })));
    // Warnings are emitted in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", note);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("refuses an answer beyond the limit", async () => {
    const { client } = connect(() => json(200, { a: "x".repeat(100) }), { maxAnswerBytes: 50 });
    await expect(client.request({ path: "/x" })).rejects.toMatchObject({ code: "ERR_KUBE_PROTOCOL" });
  });

  it("ends what is under way when closed, and refuses what comes after", async () => {
    const { client } = connect(never);
    const pending = client.request({ path: "/x" }).catch((error: unknown) => error);
    await client[Symbol.asyncDispose]();
    expect(await pending).toMatchObject({ code: "ERR_KUBE_CLOSED" });
    await expect(client.request({ path: "/x" })).rejects.toMatchObject({ code: "ERR_KUBE_CLOSED" });
  });
});

it("a transport's own errors are those of this package when they are of a connection, and bugs when not", async () => {
  const refused = connect(() =>
    Promise.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" })),
  );
  await expect(refused.client.request({ path: "/x" })).rejects.toMatchObject({
    code: "ERR_KUBE_UNREACHABLE",
  });
  const broken = connect(() => Promise.reject(new TypeError("bug")));
  await expect(broken.client.request({ path: "/x" })).rejects.toThrow(TypeError);
});

describe("a 401", () => {
  it("renews the credentials once, and the request is sent once more", async () => {
    let refreshed = 0;
    const { client, sent } = connect(
      () => json(refreshed === 0 ? 401 : 200, { n: refreshed }),
      {},
      async () => {
        refreshed += 1;
        return true;
      },
    );
    expect(await client.request({ path: "/x" })).toEqual({ ok: true, value: { n: 1 } });
    expect(sent).toHaveLength(2);
    expect(new Set(sent.map(({ headers }) => headers["x-request-id"])).size).toBe(2);
  });

  it.each([
    [true, 2],
    [false, 1],
  ])("stays one when it is again, or there is nothing to renew (%s)", async (renewed, times) => {
    const { client, sent } = connect(
      () => json(401, { kind: "Status", reason: "Unauthorized" }),
      {},
      async () => renewed,
    );
    expect(await client.request({ path: "/x" })).toMatchObject({
      ok: false,
      status: { reason: "Unauthorized" },
    });
    expect(sent).toHaveLength(times);
  });
});

describe("the client's own rate limit", () => {
  it("lets a burst through, then makes requests wait, those of high priority least, and says so", async () => {
    const clock = createManualClock();
    const lines: object[] = [];
    const logger = {
      debug: () => {},
      info: (fields: object) => void lines.push(fields),
      warn: () => {},
      error: () => {},
    };
    const { client, sent } = connect(() => json(200, {}), {
      clock,
      logger,
      rateLimit: { qps: 0.5, burst: 2 },
    });
    const all = ["/1", "/2", "/3", "/4"].map((path) => client.request({ path }));
    const urgent = client.request({ path: "/urgent", priority: "high" });
    await clock.advance(0);
    expect(sent.map(({ path }) => path)).toEqual(["/1", "/2"]);
    await clock.advance(6000);
    expect(sent.map(({ path }) => path)).toEqual(["/1", "/2", "/urgent", "/3", "/4"]);
    await Promise.all([...all, urgent]);
    expect(lines).toContainEqual({ waitedMs: 4000, method: "GET", path: "/3" });
  });

  it("can be left while waiting, does not hold up watches, and can be switched off", async () => {
    const clock = createManualClock();
    const { client, sent } = connect(() => json(200, {}), { clock, rateLimit: { qps: 0.001, burst: 1 } });
    await client.request({ path: "/1" });
    const left = client.request({ path: "/2", timeoutMs: 10 }).catch((error: unknown) => error);
    await client.resource(resources.pods).watch();
    await clock.advance(10);
    expect(await left).toMatchObject({ code: "ERR_KUBE_TIMEOUT" });
    expect(sent).toHaveLength(2);
    const free = connect(() => json(200, {}), { clock, rateLimit: false });
    await Promise.all(Array.from({ length: 300 }, () => free.client.request({ path: "/x" })));
  });
});

type Reply = Awaited<ReturnType<KubeTransport["send"]>>;

describe("lists that are decoded while they arrive", () => {
  const take = async (
    client: KubeClient,
    timeoutMs?: number,
  ): Promise<{ answer: unknown; items: object[] }> => {
    const items: object[] = [];
    const pods = client.resource(resources.pods);
    const answer = await pods.listStream?.({ resourceVersion: "0", limit: 2, timeoutMs }, (pod) => {
      items.push(pod);
    });
    return { answer, items };
  };

  it("hand over objects that look like those of a watch", async () => {
    const { client, sent } = connect(() =>
      json(200, { kind: "PodList", metadata: { resourceVersion: "7", continue: "c" }, items: [{}, {}] }),
    );
    const pod = { apiVersion: "v1", kind: "Pod" };
    expect(await take(client)).toEqual({
      answer: {
        ok: true,
        value: { resourceVersion: "7", continue: "c", remainingItemCount: undefined },
      },
      items: [pod, pod],
    });
    expect(sent[0]?.path).toBe("/api/v1/pods?resourceVersion=0&limit=2");
  });

  it("are refused as a value", async () => {
    const { client } = connect(() => json(410, { kind: "Status", code: 410, reason: "Expired" }));
    expect(await take(client)).toMatchObject({ answer: { ok: false, status: { reason: "Expired" } } });
  });

  it.each([
    ["broken off", '{"items":[{"a":1},{"b'],
    ["no JSON", "<html></html>"],
    ["with an object that is none", '{"items":[{"a":tru}]}'],
    ["no list", '{"items":{"a":1}}'],
  ])("reject when the answer is %s", async (_, text) => {
    const { client } = connect(() => json(200, undefined, {}, text));
    await expect(take(client)).rejects.toMatchObject({ code: "ERR_KUBE_PROTOCOL" });
  });

  it("reject at the deadline when the rest does not come", async () => {
    const clock = createManualClock();
    const { client } = connect(() => json(200, undefined, {}, '{"items":[{}', true), { clock });
    const rejected = expect(take(client, 5_000)).rejects.toMatchObject({ code: "ERR_KUBE_TIMEOUT" });
    await clock.advance(5_000);
    await rejected;
  });
});

function connect(
  reply: (request: KubeRequest) => Reply | Promise<Reply>,
  options: Omit<KubeClientOptions, "transport"> = {},
  refresh?: () => Promise<boolean>,
): { client: KubeClient; sent: KubeRequest[] } {
  const sent: KubeRequest[] = [];
  const transport: KubeTransport = {
    server: "https://kube.test",
    send: async (request) => {
      sent.push(request);
      return reply(request);
    },
    ...(refresh && { refresh }),
    [Symbol.asyncDispose]: async () => {},
  };
  return { client: createKubeClient({ clock: createManualClock(), ...options, transport }), sent };
}

function json(
  status: number,
  value: unknown,
  headers: object = {},
  text = JSON.stringify(value),
  stalls = false,
): Reply {
  return answerOf(status, { "content-type": "application/json", ...headers }, text, stalls);
}

function answerOf(status: number, headers: Record<string, string>, text: string, stalls = false): Reply {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
    if (stalls) await never();
  }
  return { status, headers, body: body() };
}

function never(): Promise<never> {
  return new Promise(() => {});
}
