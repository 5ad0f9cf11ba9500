import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import { Readable } from "node:stream";
import { createTestAuthority } from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import { createRotatingAgent } from "../src/agent.ts";
import { connectRotatingHttp2 } from "../src/http2-client.ts";
import { createRotatingDispatcher } from "../src/undici.ts";
import { clients, getWithAgent } from "./clients.ts";
import { type PlainServer, startPlainServer } from "./plain-server.ts";
import { createRotatingIdentity } from "./rotating-identity.ts";
import { until } from "./waiting.ts";

const authority = createTestAuthority();
const retrying = Object.entries(clients).filter(([name]) => name !== "https.Agent");

describe.each(retrying)("%s", (name, start) => {
  test("an idempotent request on a connection that is closed before any answer is repeated once", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startClosingServer(1, name === "http2");
    await using client = start(identity.source, server.origin);
    expect(await client.get("/")).toEqual({ status: 200, text: "answer 2" });
  });

  test("and not twice", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startClosingServer(5, name === "http2");
    await using client = start(identity.source, server.origin);
    await expect(client.get("/")).rejects.toThrow();
    expect(server.requests()).toBe(2);
  });
});

describe("undici", () => {
  test.each([
    ["POST", "text"],
    ["PATCH", undefined],
  ] as const)("%s is not repeated", async (method, body) => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startClosingServer(1);
    await using dispatcher = createRotatingDispatcher(identity.source);
    const request = dispatcher.request({
      origin: server.origin,
      path: "/",
      method,
      ...(body ? { body } : {}),
    });
    await expect(request).rejects.toThrow();
    expect(server.requests()).toBe(1);
  });

  test("a body that cannot be sent again is not", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startClosingServer(1);
    await using dispatcher = createRotatingDispatcher(identity.source);
    const body = Readable.from(["streamed"]);
    await expect(
      dispatcher.request({ origin: server.origin, path: "/", method: "PUT", body }),
    ).rejects.toThrow();
    expect(server.requests()).toBe(1);
  });

  test("a body in memory is sent again in full", async () => {
    await using identity = createRotatingIdentity({ authority });
    const bodies: string[] = [];
    await using server = await startClosingServer(1, false, async (request, response) => {
      bodies.push(Buffer.concat(await request.toArray()).toString());
      response.end("thank you");
    });
    await using dispatcher = createRotatingDispatcher(identity.source);
    const { statusCode } = await dispatcher.request({
      origin: server.origin,
      path: "/",
      method: "PUT",
      body: "all of it",
    });
    expect(statusCode).toBe(200);
    expect(bodies).toEqual(["all of it"]);
  });

  test("nothing is repeated once the answer has begun", async () => {
    await using identity = createRotatingIdentity({ authority });
    let requests = 0;
    await using server = await startPlainServer({
      authority,
      handler: (request, response) => {
        requests += 1;
        response
          .writeHead(200, { "content-length": "100" })
          .write("half of it", () => request.socket.destroy());
      },
    });
    await using dispatcher = createRotatingDispatcher(identity.source);
    const { body } = await dispatcher.request({ origin: server.origin, path: "/", method: "GET" });
    await expect(body.text()).rejects.toThrow();
    expect(requests).toBe(1);
  });

  test("close waits for requests, and the dispatcher is closed then", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority });
    const dispatcher = createRotatingDispatcher(identity.source);
    const request = dispatcher.request({ origin: server.origin, path: "/", method: "GET" });
    const [{ statusCode, body }] = await Promise.all([request, dispatcher.close()]);
    expect(statusCode).toBe(200);
    await body.dump();
    await expect(
      dispatcher.request({ origin: server.origin, path: "/", method: "GET" }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^UND_ERR_(CLOSED|DESTROYED)$/) });
    await until(() => server.open().length === 0);
  });
});

describe("http2", () => {
  test("a POST that the server had not begun with is repeated", async () => {
    await using identity = createRotatingIdentity({ authority });
    let sessions = 0;
    await using server = await startPlainServer({ authority, http2: true });
    server.server.on("session", (session: ServerHttp2Session) => {
      sessions += 1;
      // The last stream that was or will be looked at is none.
      if (sessions === 1) session.goaway(0, 0);
    });
    await using client = connectRotatingHttp2(identity.source, server.origin);
    const { status, body } = await client.request({ ":path": "/", ":method": "POST" }, { body: "text" });
    expect(status).toBe(200);
    body.resume();
  });

  test("a session that died is replaced, and concurrent requests share the attempt", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2: true });
    await using client = connectRotatingHttp2(identity.source, server.origin);
    const all = () =>
      Promise.all(
        Array.from({ length: 20 }, async () => {
          const { status, body } = await client.request({ ":path": "/" });
          body.resume();
          return status;
        }),
      );
    await all();
    expect(server.accepted()).toBe(1);
    server.open()[0]?.destroy();
    expect(new Set(await all())).toEqual(new Set([200]));
    expect(server.accepted()).toBe(2);
  });

  test("a server that is not there is an error at once, and one that comes back is found", async () => {
    await using identity = createRotatingIdentity({ authority });
    const server = await startPlainServer({ authority, http2: true });
    const port = Number(new URL(server.origin).port);
    await server[Symbol.asyncDispose]();
    await using client = connectRotatingHttp2(identity.source, server.origin);
    await expect(client.request({ ":path": "/" })).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await using again = await startPlainServer({ authority, http2: true, port });
    const { status, body } = await client.request({ ":path": "/" });
    body.resume();
    expect([status, again.accepted()]).toEqual([200, 1]);
  });

  test("a caller may give up without ending the attempt of the others", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2: true });
    await using client = connectRotatingHttp2(identity.source, server.origin);
    const control = new AbortController();
    const impatient = client.request({ ":path": "/" }, { signal: control.signal });
    const patient = client.request({ ":path": "/" });
    control.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    const { status, body } = await patient;
    body.resume();
    expect(status).toBe(200);
  });
});

test("https.Agent cannot repeat a request: the caller sees the end of the connection", async () => {
  await using identity = createRotatingIdentity({ authority });
  await using server = await startPlainServer({
    authority,
    handler: (request, response) => {
      if (request.url === "/first") response.end("first");
      else request.socket.destroy();
    },
  });
  await using agent = createRotatingAgent(identity.source);
  await getWithAgent(agent, `${server.origin}/first`);
  // After a first answer the end of a connection says nothing about our certificate.
  await expect(getWithAgent(agent, server.origin)).rejects.toMatchObject({ code: "ECONNRESET" });
});

/** Closes the connection of the first requests without an answer. */
async function startClosingServer(
  closings: number,
  http2 = false,
  answer?: RequestListener,
): Promise<PlainServer & { requests(): number }> {
  let requests = 0;
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    requests += 1;
    if (requests > closings) {
      if (answer) answer(request, response);
      else response.end(`answer ${requests}`);
    } else if (http2) {
      (response as unknown as { stream: { session: ServerHttp2Session } }).stream.session.destroy();
    } else {
      request.socket.end();
    }
  };
  const server = await startPlainServer({ authority, http2, handler });
  return { ...server, requests: () => requests };
}
