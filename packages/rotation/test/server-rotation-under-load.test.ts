import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { Generation } from "../src/generation.ts";
import { createServerConsumer } from "../src/server-consumer.ts";
import { serverOptions } from "../src/server-options.ts";
import {
  closeOf,
  createIdentity,
  get,
  issue,
  issueServer,
  startServer,
  type TestServer,
} from "./server-fixture.ts";
import { until } from "./waiting.ts";

const ROTATIONS = 20;

/** Rotates as soon as each generation is proved to be served, while `work` goes on. */
async function rotateWhile(
  server: TestServer,
  rotate: () => number,
  work: (done: () => boolean) => Promise<void>[],
): Promise<void> {
  let done = false;
  const working = Promise.all(work(() => done));
  for (let count = 0; count < ROTATIONS; count++) {
    await Promise.race([server.rotation.whenServed(rotate()), working]);
    // So that every generation is met by clients, and not only by the check of itself.
    const handshakes = server.rotation.stats().handshakes;
    await get(server.port, client);
    expect(server.rotation.stats().handshakes).not.toEqual(handshakes);
  }
  done = true;
  await working;
}

const identity = createIdentity();
const client = issue(identity.authority);
const leaves = Array.from({ length: 8 }, () => issueServer(identity.authority));
let turn = 0;
const rotate = (): number => identity.rotate({ leaf: leaves[turn++ % leaves.length] ?? client }).number;

test("HTTP/1 with kept-alive connections: no request is lost", async () => {
  let handled = 0;
  await using server = await startServer(identity.source, {
    drainJitterMs: 20,
    handler: (_: IncomingMessage, response: ServerResponse) => {
      handled += 1;
      response.end("ok");
    },
  });
  let asked = 0;
  await rotateWhile(server, rotate, (done) =>
    Array.from({ length: 10 }, async () => {
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      while (!done()) {
        expect((await get(server.port, { ...client, agent })).body).toBe("ok");
        asked += 1;
      }
      agent.destroy();
    }),
  );
  expect(handled).toBe(asked + ROTATIONS);
  expect(asked).toBeGreaterThan(ROTATIONS);
  expect(server.rejections).toEqual([]);
});

test("HTTP/2: no request is lost, and what is refused may be repeated", async () => {
  let handled = 0;
  await using server = await startServer(identity.source, {
    kind: "http2",
    drainJitterMs: 20,
    serverOptions: { allowHTTP1: true },
    handler: ((_: unknown, response: http2.Http2ServerResponse) => {
      handled += 1;
      response.end("ok");
    }) as never,
  });
  let answered = 0;
  await rotateWhile(server, rotate, (done) =>
    Array.from({ length: 4 }, async () => {
      let session: http2.ClientHttp2Session | undefined;
      while (!done()) {
        if (!session || session.closed || session.destroyed) {
          session = http2.connect(server.url, { ...client, rejectUnauthorized: false }).on("error", () => {});
        }
        const stream = session
          .request({ ":path": "/" })
          .on("error", () => {})
          .resume();
        await closeOf(stream);
        // RFC 9113 section 8.7: it has not been processed, and the client is to send it again.
        if (stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM) continue;
        expect(stream.rstCode).toBe(0);
        answered += 1;
      }
      session?.destroy();
    }),
  );
  expect(handled).toBe(answered + ROTATIONS);
  expect(server.rejections).toEqual([]);
});

test("responses that stream and upgraded connections go through twenty rotations uncut", async () => {
  const responses: ServerResponse[] = [];
  await using server = await startServer(identity.source, {
    handler: (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === "/stream") responses.push(response);
      response[request.url === "/stream" ? "write" : "end"]("0\n");
    },
    configure: (each) =>
      each.on("upgrade", (_: IncomingMessage, socket: Duplex) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        socket.on("error", () => {}).pipe(socket);
      }),
  });
  const options = { ...client, rejectUnauthorized: false, agent: false as const };
  const upgrading = https.get(server.url, {
    ...options,
    headers: { connection: "upgrade", upgrade: "echo" },
  });
  const [, echo] = (await once(upgrading, "upgrade")) as [IncomingMessage, Duplex];
  const [stream] = (await once(https.get(`${server.url}/stream`, options), "response")) as [IncomingMessage];
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  let count = 0;
  await rotateWhile(server, rotate, (done) => [
    (async () => {
      while (!done()) {
        count += 1;
        responses[0]?.write(`${count}\n`);
        echo.write(`${count}\n`);
        expect(String((await once(echo, "data"))[0])).toBe(`${count}\n`);
      }
    })(),
  ]);
  responses[0]?.end();
  await once(stream, "end");
  expect(text).toBe(Array.from({ length: count + 1 }, (_, index) => `${index}\n`).join(""));
  expect(server.rotation.stats().byGeneration[1] ?? 0).toBe(0);
  expect(server.rejections).toEqual([]);
  echo.destroy();
});

test("a server that is closed while connections drain closes when they are gone", async () => {
  const server = await startServer(identity.source, {
    handler: (_: IncomingMessage, response: ServerResponse) => void response.end("ok"),
  });
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  await get(server.port, { ...client, agent });
  await server.rotation.whenServed(rotate());
  const closed = closeOf(server.server);
  server.server.close();
  await closed;
  await until(() => server.rotation.stats().connections === 0);
  agent.destroy();
  await server.rotation[Symbol.asyncDispose]();
});

test("after disposal nobody new comes in, and who is in is still guarded", async () => {
  const server = await startServer(identity.source, {
    handler: (_: IncomingMessage, response: ServerResponse) => void response.end("ok"),
  });
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  await get(server.port, { ...client, agent });
  await server.rotation[Symbol.asyncDispose]();
  expect((await get(server.port, { ...client, agent })).body).toBe("ok");
  await expect(get(server.port, client)).rejects.toThrow();
  const raw = net.connect(server.port, "127.0.0.1");
  await closeOf(raw);
  agent.destroy();
  await server[Symbol.asyncDispose]();
});

test("two thousand swaps leave nothing behind", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const server = tls.createServer(serverOptions(identity.source), (socket) => void socket.end("ok"));
  await using consumer = createServerConsumer(server, identity.source, { authorize: () => true });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const generations: WeakRef<Generation>[] = [];
  for (let count = 0; count < 2_000; count++) {
    const generation = identity.rotate({ leaf: leaves[count % leaves.length] ?? client });
    generations.push(new WeakRef(generation));
    await consumer.load(generation, new AbortController().signal);
    if (count % 100 === 0) {
      await closeOf(tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...client }).resume());
    }
  }
  const alive = (): number => generations.filter((generation) => generation.deref()).length;
  await until(() => {
    collect();
    return alive() < 10;
  });
  await until(() => consumer.stats().connections === 0);
  server.close();
}, 120_000);
