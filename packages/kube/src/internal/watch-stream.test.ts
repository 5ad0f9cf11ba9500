import { createManualClock } from "@newleaf/testing";
import { describe, expect, it } from "vitest";
import { createKubeClient } from "../client.ts";
import type { WatchOptions } from "../resource-client.ts";
import { resources } from "../resources.ts";
import { valueOrThrow } from "../status.ts";
import type { KubeTransport } from "../transport.ts";
import type { WatchEvent, WatchStream } from "../watch-event.ts";

type PodEvent = WatchEvent<object & { metadata?: { name?: string } }>;

describe("events", () => {
  it("come whole however the octets are split", async () => {
    const names = ["a", "grün", "日本語", "🌱".repeat(50)];
    const octets = Buffer.from(names.map((name) => `${event("ADDED", name)}\n`).join(""));
    for (const size of [1, 2, 3, 7, 64, octets.length]) {
      const chunks = Array.from({ length: Math.ceil(octets.length / size) }, (_, i) =>
        octets.subarray(i * size, (i + 1) * size),
      );
      const { stream } = await watch(chunks);
      expect((await collect(stream)).map(nameOf), `chunks of ${size}`).toEqual(names);
    }
  });

  it("are bookmarks, with the end of the initial ones marked", async () => {
    const bookmark = (annotations?: object): string =>
      `${JSON.stringify({ type: "BOOKMARK", object: { kind: "Pod", metadata: { resourceVersion: "9", annotations } } })}\n`;
    const { stream } = await watch([bookmark(), bookmark({ "k8s.io/initial-events-end": "true" })]);
    expect(await collect(stream)).toEqual([
      { type: "BOOKMARK", resourceVersion: "9", initialEventsEnd: false },
      { type: "BOOKMARK", resourceVersion: "9", initialEventsEnd: true },
    ]);
  });

  it("are errors as values", async () => {
    const status = { kind: "Status", code: 410, reason: "Expired", message: "too old" };
    const { stream } = await watch([`${JSON.stringify({ type: "ERROR", object: status })}\n`]);
    expect(await collect(stream)).toMatchObject([
      { type: "ERROR", status: { code: 410, reason: "Expired", requestId: "a" } },
    ]);
  });

  it("may end without a newline, and empty lines are none", async () => {
    const { stream } = await watch([`\n${event("ADDED", "a")}\n\n`, event("DELETED", "b")]);
    expect((await collect(stream)).map(nameOf)).toEqual(["a", "b"]);
  });
});

describe("what is no event", () => {
  it.each([
    ["half a line at the end", [event("ADDED", "a").slice(0, -4)], "ERR_KUBE_UNREACHABLE"],
    ["a malformed line", ['{"type":\n'], "ERR_KUBE_PROTOCOL"],
    ["a line that is no object", ["null\n"], "ERR_KUBE_PROTOCOL"],
    ["an unknown type", ['{"type":"NEWS","object":{}}\n'], "ERR_KUBE_PROTOCOL"],
    ["a line beyond the limit", [event("ADDED", "x".repeat(2000))], "ERR_KUBE_PROTOCOL"],
  ])("%s rejects, and ends the stream and the request", async (_, chunks, code) => {
    const { stream, ended } = await watch(chunks);
    await expect(stream.next()).rejects.toMatchObject({ code });
    expect(await stream.next()).toMatchObject({ done: true });
    expect(ended()).toBe(true);
  });
});

describe("the end", () => {
  it("comes at once with return(), also while an event is waited for", async () => {
    const { stream, ended } = await watch([event("ADDED", "a"), "\n"], "stalls");
    expect(nameOf((await stream.next()).value)).toBe("a");
    const waiting = stream.next();
    expect(await stream.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(ended()).toBe(true);
  });

  it("comes with the caller's signal, whose reason it is", async () => {
    const controller = new AbortController();
    const { stream, ended } = await watch([], "stalls", { signal: controller.signal });
    const waiting = stream.next();
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(ended()).toBe(true);
  });

  it("comes some time after the server's own, when the server was lost", async () => {
    const { stream, clock } = await watch([], "stalls", { timeoutSeconds: 60 });
    const waiting = stream.next().catch((error: unknown) => error);
    await clock.advance(70_000);
    expect(await waiting).toMatchObject({ code: "ERR_KUBE_TIMEOUT" });
    expect(clock.pending).toBe(0);
  });
});

it("a watch that is refused is an answer", async () => {
  const { answer } = await open(410, [JSON.stringify({ kind: "Status", code: 410, reason: "Expired" })]);
  expect(answer).toMatchObject({ ok: false, status: { code: 410, reason: "Expired" } });
});

it("asks for what a reflector needs", async () => {
  const { path } = await open(200, [], "ends", {
    resourceVersion: "5",
    allowWatchBookmarks: true,
    sendInitialEvents: true,
    resourceVersionMatch: "NotOlderThan",
    timeoutSeconds: 300,
  });
  expect(path()).toBe(
    "/api/v1/namespaces/n/pods?watch=true&resourceVersion=5&resourceVersionMatch=NotOlderThan" +
      "&allowWatchBookmarks=true&sendInitialEvents=true&timeoutSeconds=300",
  );
});

async function watch(
  chunks: readonly (string | Buffer)[],
  after: "ends" | "stalls" = "ends",
  options: WatchOptions = {},
): Promise<Awaited<ReturnType<typeof open>> & { stream: WatchStream<object> }> {
  const opened = await open(200, chunks, after, options);
  return { ...opened, stream: valueOrThrow(opened.answer, "watch") };
}

async function open(
  status: number,
  chunks: readonly (string | Buffer)[],
  after: "ends" | "stalls" = "ends",
  options: WatchOptions = {},
) {
  const clock = createManualClock();
  let signal: AbortSignal | undefined;
  let path = "";
  async function* body(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield Buffer.from(chunk);
    if (after === "stalls") await new Promise(() => {});
  }
  const transport: KubeTransport = {
    server: "https://kube.test",
    send: async (request) => {
      ({ signal, path } = request);
      return { status, headers: { "audit-id": "a" }, body: body() };
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const client = createKubeClient({ transport, clock, maxEventBytes: 1000 });
  const answer = await client.resource(resources.pods, { namespace: "n" }).watch(options);
  return { answer, clock, ended: () => signal?.aborted ?? false, path: () => path };
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const events: T[] = [];
  for await (const item of stream) events.push(item);
  return events;
}

function event(type: string, name: string): string {
  return JSON.stringify({ type, object: { metadata: { name } } });
}

function nameOf(item: PodEvent): string | undefined {
  return "object" in item ? item.object.metadata?.name : undefined;
}
