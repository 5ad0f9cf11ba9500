import { once } from "node:events";
import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { expect, test } from "vitest";
import { startPlainProxy, startTarget } from "./plain-proxy.ts";

const get = (port: number, options: RequestOptions = {}, body?: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, agent: false, ...options }, resolve)
      .on("error", reject)
      .end(body);
  });

/** Sends raw octets and returns all that came back. */
async function raw(port: number, octets: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(octets);
  return text(socket);
}

test("method, path, fields and body go through as they are, hop-by-hop fields do not", async () => {
  await using target = await startTarget(async (incoming, response) => {
    const { method, url, rawHeaders } = incoming;
    response.setHeader("Keep-Alive", "timeout=99");
    response.setHeader("Set-Cookie", ["a=1", "b=2"]);
    response.setHeader("X-Gone", "1");
    response.setHeader("Connection", "X-Gone, keep-alive");
    response.end(JSON.stringify({ method, url, rawHeaders, body: await text(incoming) }));
  });
  await using proxy = await startPlainProxy(target.port);
  const headers = {
    Host: "shop.example",
    "X-CaSe": "kept",
    Connection: "close, X-Secret",
    "X-Secret": "dropped",
    "Proxy-Connection": "keep-alive",
    "Proxy-Authorization": "Basic eA==",
    TE: "trailers",
  };
  const response = await get(proxy.port, { method: "PUT", path: "/a%2Fb?q=1&q=2", headers }, "body");
  const seen = JSON.parse(await text(response)) as { rawHeaders: string[] };
  expect(seen).toMatchObject({ method: "PUT", url: "/a%2Fb?q=1&q=2", body: "body" });
  const fields = Object.fromEntries(
    seen.rawHeaders.flatMap((name, i) => (i % 2 ? [] : [[name, seen.rawHeaders[i + 1]]])),
  );
  expect(fields).toEqual({
    Host: "shop.example",
    "X-CaSe": "kept",
    Connection: "keep-alive, TE",
    TE: "trailers",
    "Content-Length": "4",
  });
  expect(response.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
  expect(response.headers["x-gone"]).toBeUndefined();
  expect(response.headers["keep-alive"]).not.toBe("timeout=99");
});

test("bodies stream both ways at once: an echo answers before the request has ended", async () => {
  await using target = await startTarget((incoming, response) => void incoming.pipe(response));
  await using proxy = await startPlainProxy(target.port);
  const outgoing = request({ host: "127.0.0.1", port: proxy.port, method: "POST" });
  outgoing.write("one");
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  response.setEncoding("utf8");
  expect(await once(response, "data")).toEqual(["one"]);
  outgoing.write("two");
  expect(await once(response, "data")).toEqual(["two"]);
  outgoing.end();
  await once(response.resume(), "end");
});

test("a slow reader holds the sender back: 256 MiB do not pile up in between", async () => {
  const size = 256 * 2 ** 20;
  let sent = 0;
  const chunk = Buffer.alloc(2 ** 20);
  await using target = await startTarget((_incoming, response) => {
    const source = new Readable({
      read() {
        if (sent >= size) return void this.push(null);
        sent += chunk.length;
        this.push(chunk);
      },
    });
    void pipeline(source, response).catch(() => undefined);
  });
  await using proxy = await startPlainProxy(target.port);
  const response = await get(proxy.port);
  response.pause();
  await expect.poll(() => sent, { interval: 50 }).toBeGreaterThan(0);
  let before = -1;
  const stopped = (): boolean => {
    const same = before === sent;
    before = sent;
    return same;
  };
  await expect.poll(stopped, { interval: 200, timeout: 10_000 }).toBe(true);
  expect(sent).toBeLessThan(64 * 2 ** 20);
  let received = 0;
  for await (const data of response) received += (data as Buffer).length;
  expect(received).toBe(size);
});

test("trailers go both ways, but none that could pass for a header", async () => {
  await using target = await startTarget(async (incoming, response) => {
    const body = await text(incoming);
    response.writeHead(200, { Trailer: "X-Sum" });
    response.write(body);
    response.addTrailers({ "X-Sum": JSON.stringify(incoming.trailers) });
    response.end();
  });
  await using proxy = await startPlainProxy(target.port);
  const outgoing = request({
    host: "127.0.0.1",
    port: proxy.port,
    method: "POST",
    headers: { Trailer: "X-In, Authorization", TE: "trailers" },
  });
  outgoing.write("x");
  outgoing.addTrailers({
    "X-In": "1",
    Authorization: "Bearer forged",
    "X-Forwarded-Client-Cert": "forged",
    "X_Forwarded_Client-Cert": "forged",
  });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  expect(await text(response)).toBe("x");
  expect(JSON.parse(response.trailers["x-sum"] ?? "")).toEqual({ "x-in": "1" });
});

test("Expect: 100-continue waits for the target's word; early hints pass", async () => {
  await using target = await startTarget(() => undefined);
  target.server.on("checkContinue", async (incoming, response) => {
    if (incoming.url === "/no") return response.writeHead(417).end();
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.writeContinue();
    response.end(await text(incoming));
  });
  await using proxy = await startPlainProxy(target.port);
  const send = async (path: string) => {
    const outgoing = request({
      host: "127.0.0.1",
      port: proxy.port,
      path,
      method: "POST",
      headers: { Expect: "100-continue", "Content-Length": 2 },
    });
    const hints: number[] = [];
    outgoing.on("information", ({ statusCode }) => hints.push(statusCode));
    outgoing.flushHeaders();
    outgoing.on("continue", () => outgoing.end("ok"));
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    const body = await text(response);
    outgoing.destroy();
    return { status: response.statusCode, body, hints };
  };
  expect(await send("/yes")).toEqual({ status: 200, body: "ok", hints: [103, 100] });
  expect(await send("/no")).toMatchObject({ status: 417, hints: [] });
});

test("HEAD keeps the length and sends no body; 204 and 304 have none", async () => {
  await using target = await startTarget((incoming, response) => {
    const status = Number(incoming.url?.slice(1)) || 200;
    response.writeHead(status, status === 200 ? { "Content-Length": "1234" } : {});
    response.end();
  });
  await using proxy = await startPlainProxy(target.port);
  const head = await get(proxy.port, { method: "HEAD" });
  expect([head.headers["content-length"], (await buffer(head)).length]).toEqual(["1234", 0]);
  for (const status of [204, 304]) {
    const response = await get(proxy.port, { path: `/${status}` });
    expect([response.statusCode, await text(response)]).toEqual([status, ""]);
  }
});

test("connections to the target are kept and shared", async () => {
  await using target = await startTarget((_incoming, response) => void response.end("x"));
  let connections = 0;
  target.server.on("connection", () => {
    connections += 1;
  });
  await using proxy = await startPlainProxy(target.port);
  for (let i = 0; i < 10; i++) await text(await get(proxy.port));
  expect(connections).toBe(1);
});

test("a pooled connection that the target closes is replaced without the client noticing", async () => {
  await using target = await startTarget((incoming, response) => {
    const { socket } = incoming;
    response.end("x");
    // Reset rather than ended: the proxy learns of it only when it writes.
    if (incoming.url === "/reset") response.once("finish", () => socket.resetAndDestroy());
  });
  await using proxy = await startPlainProxy(target.port);
  for (let i = 0; i < 20; i++) {
    const [first, second] = [await get(proxy.port, { path: "/reset" }), await get(proxy.port)];
    expect([first.statusCode, second.statusCode]).toEqual([200, 200]);
    first.resume();
    second.resume();
  }
  expect(proxy.failures).toEqual([]);
});

test("a target that is down, silent, no HTTP, or dies in the middle: 502, 504, 502, a cut response", async () => {
  await using target = await startTarget((incoming, response) => {
    if (incoming.url === "/silent") return;
    if (incoming.url === "/garbage") return void incoming.socket.end("garbage\r\n\r\n");
    response.write("half");
    setImmediate(() => incoming.socket.destroy());
  });
  await using down = await startPlainProxy(1);
  const refused = await get(down.port);
  expect([refused.statusCode, await text(refused)]).toEqual([502, "502 target: connection refused\n"]);
  await using proxy = await startPlainProxy(target.port, { responseMs: 100 });
  const silent = await get(proxy.port, { path: "/silent" });
  expect([silent.statusCode, await text(silent)]).toEqual([504, "504 target: no answer in time\n"]);
  const garbage = await get(proxy.port, { path: "/garbage" });
  expect([garbage.statusCode, await text(garbage)]).toEqual([502, "502 target: response is not HTTP\n"]);
  await expect(text(await get(proxy.port, { path: "/half" }))).rejects.toThrow(/aborted/);
  expect(proxy.failures).toEqual(["no answer in time", "response is not HTTP", "connection reset"]);
});

test("a request body that stops coming is 408, a full pool is 504", async () => {
  await using target = await startTarget((incoming, response) => {
    if (incoming.url !== "/hold") incoming.resume().once("end", () => response.end());
  });
  await using proxy = await startPlainProxy(target.port, { responseMs: 100, connectMs: 300 });
  const outgoing = request({
    host: "127.0.0.1",
    port: proxy.port,
    method: "POST",
    headers: { "Content-Length": 10 },
  });
  outgoing.write("only");
  const [stalled] = (await once(outgoing, "response")) as [IncomingMessage];
  expect(stalled.statusCode).toBe(408);
  outgoing.destroy();
});

test("an answer before the end of the request reaches the client, and the rest goes nowhere", async () => {
  let received = 0;
  await using target = await startTarget((incoming, response) => {
    incoming.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    response.writeHead(413, { "Content-Length": 8 }).end("too much");
  });
  await using proxy = await startPlainProxy(target.port);
  const outgoing = request({ host: "127.0.0.1", port: proxy.port, method: "POST" });
  outgoing.on("error", () => undefined);
  outgoing.write("begin");
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  expect([response.statusCode, await text(response)]).toEqual([413, "too much"]);
  const before = received;
  const endless = setInterval(() => outgoing.write("more"), 10);
  // Not once() of node:events, which takes the error on the way for a failure.
  await new Promise((resolve) => outgoing.once("close", resolve));
  clearInterval(endless);
  expect(received).toBeLessThanOrEqual(before + 8);
});

test("an upload that the client breaks off is broken off at the target", async () => {
  const ended = deferred();
  await using target = await startTarget((incoming) => {
    incoming.resume().once("error", ended.resolve);
  });
  await using proxy = await startPlainProxy(target.port);
  const outgoing = request({ host: "127.0.0.1", port: proxy.port, method: "POST" });
  outgoing.on("error", () => undefined);
  outgoing.write("half");
  await once(target.server, "request");
  outgoing.destroy();
  expect(await ended.promise).toMatchObject({ code: "ECONNRESET" });

  // Not stream.close(): Node's client ends the body properly before it resets the stream.
  for (const leave of ["stream", "session"] as const) {
    const session = connectHttp2(`http://127.0.0.1:${proxy.h2Port}`);
    const again = deferred();
    target.server.once("request", (incoming: IncomingMessage) => incoming.once("error", again.resolve));
    const stream = session.request({ ":path": "/", ":method": "POST" });
    stream.write("half");
    await once(target.server, "request");
    if (leave === "stream") stream.destroy();
    else session.destroy();
    expect(await again.promise).toMatchObject({ code: "ECONNRESET" });
    session.destroy();
  }
});

test("a client that leaves takes its request to the target with it", async () => {
  const gone = deferred();
  await using target = await startTarget((incoming) => {
    incoming.socket.once("close", () => gone.resolve(undefined));
    incoming.resume();
  });
  await using proxy = await startPlainProxy(target.port);
  const outgoing = request({ host: "127.0.0.1", port: proxy.port, agent: new Agent() });
  outgoing.on("error", () => undefined);
  outgoing.end();
  await once(target.server, "request");
  outgoing.destroy();
  await gone.promise;
});

function deferred() {
  let resolve: (value: unknown) => void = () => undefined;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test.each([
  [
    "both lengths",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde"],
  ["unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"],
  ["space before colon", "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"],
  ["folded field", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"],
  ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
  ["no host", "GET / HTTP/1.1\r\n\r\n"],
  ["bare newline", "GET / HTTP/1.1\nHost: a\n\n"],
  ["odd target", "GET user@a HTTP/1.1\r\nHost: a\r\n\r\n"],
])("smuggling: %s never reaches the target", async (_name, octets) => {
  let requests = 0;
  await using target = await startTarget((_incoming, response) => {
    requests += 1;
    response.end();
  });
  await using proxy = await startPlainProxy(target.port);
  expect(await raw(proxy.port, octets)).toMatch(/^HTTP\/1\.1 400 /);
  expect(requests).toBe(0);
});

test("absolute form: its authority is the host (RFC 9112 3.2.2); OPTIONS * stays", async () => {
  await using target = await startTarget((incoming, response) =>
    response.end(`${incoming.headers.host} ${incoming.url}`),
  );
  await using proxy = await startPlainProxy(target.port);
  const ask = (line: string) =>
    raw(proxy.port, `${line} HTTP/1.1\r\nHost: ignored\r\nConnection: close\r\n\r\n`);
  expect(await ask("GET http://shop.example/x?y")).toContain("shop.example /x?y");
  expect(await ask("GET http://shop.example?y")).toContain("shop.example /?y");
  expect(await ask("OPTIONS *")).toContain("ignored *");
});

test("more header fields than anybody needs are refused, not cut: what is behind them frames the body", async () => {
  let asked = 0;
  await using target = await startTarget((_incoming, response) => {
    asked++;
    response.end();
  });
  await using proxy = await startPlainProxy(target.port);
  for (const count of [300, 1_500]) {
    const fields = "a:1\r\n".repeat(count);
    const octets = `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}Content-Length: 5\r\n\r\nhello`;
    expect(await raw(proxy.port, octets)).toMatch(/^HTTP\/1\.1 431 /);
  }
  expect(asked).toBe(0);
});

test("HTTP/2 in: streams side by side, bodies, trailers, no connection fields either way", async () => {
  await using target = await startTarget(async (incoming, response) => {
    response.setHeader("Trailer", "X-Sum");
    response.write(
      JSON.stringify({ host: incoming.headers.host, te: incoming.headers["transfer-encoding"] }),
    );
    response.write(await text(incoming));
    response.addTrailers({ "X-Sum": incoming.trailers["x-in"] ?? "none" });
    response.end();
  });
  await using proxy = await startPlainProxy(target.port);
  const session = connectHttp2(`http://127.0.0.1:${proxy.h2Port}`);
  const ask = async (body: string | undefined) => {
    const stream = session.request(
      {
        ":path": "/x",
        ":method": body === undefined ? "GET" : "POST",
        ":authority": "shop.example",
        te: "trailers",
      },
      { waitForTrailers: true, endStream: body === undefined },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-in": "7" }));
    if (body !== undefined) stream.end(body);
    const trailers = once(stream, "trailers");
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    return { headers, body: await text(stream), trailers: ((await trailers) as [object])[0] };
  };
  const [first, second] = await Promise.all([ask(undefined), ask("body")]);
  expect(first.body).toBe('{"host":"shop.example"}');
  expect(second.body).toBe('{"host":"shop.example","te":"chunked"}body');
  expect(second.trailers).toMatchObject({ "x-sum": "7" });
  expect(Object.keys(second.headers)).not.toContain("connection");
  session.close();
  await once(session, "close");
});

test("HTTP/2 in: a target that dies in the middle resets the stream", async () => {
  await using target = await startTarget((incoming, response) => {
    response.write("half");
    setImmediate(() => incoming.socket.destroy());
  });
  await using proxy = await startPlainProxy(target.port);
  const session = connectHttp2(`http://127.0.0.1:${proxy.h2Port}`);
  const stream = session.request({ ":path": "/" });
  await expect(text(stream)).rejects.toMatchObject({ code: "ERR_HTTP2_STREAM_ERROR" });
  session.destroy();
});
