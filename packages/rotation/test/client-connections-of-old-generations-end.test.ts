import { once } from "node:events";
import type { ServerResponse } from "node:http";
import * as https from "node:https";
import type { TLSSocket } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createTestAuthority } from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import { createRotatingAgent } from "../src/agent.ts";
import type { Generation } from "../src/generation.ts";
import { clients, getWithAgent } from "./clients.ts";
import { answerWithPeer, peerFingerprint, startPlainServer } from "./plain-server.ts";
import { createRotatingIdentity } from "./rotating-identity.ts";
import { deferred, until } from "./waiting.ts";

const authority = createTestAuthority();

describe.each(Object.entries(clients))("%s", (name, start) => {
  test("idle connections of the old generation are closed after a rotation", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2: name === "http2" });
    await using client = start(identity.source, server.origin);
    await client.get("/");
    const [first] = server.open();
    expect(first).toBeDefined();
    identity.rotate();
    const record = await client.rotation.whenComplete(2);
    expect(record.consumers[0]?.drained).toEqual({ connections: 1, closed: 1, cut: 0 });
    await until(() => first?.destroyed === true);
    expect((await client.get("/")).text).toBe(identity.leaf.certificate.sha256);
  });

  test("a request in flight finishes on its connection, which ends then; the drain waits for it", async () => {
    const held = deferred<ServerResponse>();
    await using identity = createRotatingIdentity({ authority });
    const first = identity.leaf.certificate.sha256;
    await using server = await startPlainServer({
      authority,
      http2: name === "http2",
      handler: (request, response) => {
        if (request.url === "/slow") held.resolve(response);
        else answerWithPeer(request, response);
      },
    });
    await using client = start(identity.source, server.origin);
    const slow = client.get("/slow");
    const response = await held.promise;
    const [connection] = server.open();
    identity.rotate();
    await client.rotation.whenServed(2);
    expect((await client.get("/")).text).toBe(identity.leaf.certificate.sha256);
    expect(client.rotation.current().stages.drained).toBeUndefined();
    response.end(peerFingerprint(response.req));
    expect((await slow).text).toBe(first);
    await client.rotation.whenComplete(2);
    await until(() => connection?.destroyed === true);
  });

  test("sessions are not resumed, so that every server is verified", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({
      authority,
      http2: name === "http2",
      handler: (request, response) => {
        if (name !== "http2") response.setHeader("connection", "close");
        answerWithPeer(request, response);
      },
    });
    const reused: boolean[] = [];
    server.server.on("secureConnection", (socket: TLSSocket) => reused.push(socket.isSessionReused()));
    await using client = start(identity.source, server.origin);
    for (let i = 0; i < 3; i++) {
      await client.get("/");
      if (name === "http2") for (const socket of server.open()) socket.destroy();
      await until(() => server.open().length === 0);
    }
    expect(reused).toEqual([false, false, false]);
  });

  test("old generations are garbage after their rotation", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2: name === "http2" });
    await using client = start(identity.source, server.origin);
    const old: WeakRef<Generation>[] = [];
    for (let i = 0; i < 20; i++) {
      await client.get("/");
      old.push(new WeakRef(identity.source.current()));
      const { number } = identity.rotate();
      await client.rotation.whenComplete(number);
    }
    await client.get("/");
    const alive = (): number => old.filter((reference) => reference.deref() !== undefined).length;
    collectGarbage();
    // A request or socket may still hold its own generation; a leak would hold them all.
    await until(() => {
      collectGarbage();
      return alive() <= 2;
    });
  });
});

describe("https.Agent", () => {
  test("requests waiting for a socket move to the new generation and none is lost", async () => {
    const held: ServerResponse[] = [];
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({
      authority,
      handler: (request, response) => {
        if (request.url === "/slow") held.push(response);
        else answerWithPeer(request, response);
      },
    });
    await using agent = createRotatingAgent(identity.source, { maxSockets: 2 });
    const slow = [1, 2].map(() => getWithAgent(agent, `${server.origin}/slow`));
    await until(() => held.length === 2);
    const waiting = Array.from({ length: 10 }, () => getWithAgent(agent, server.origin));
    identity.rotate();
    // They need not even wait for the slow ones: the limit is for each generation.
    const answers = await Promise.all(waiting);
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([identity.leaf.certificate.sha256]));
    for (const response of held) response.end("done");
    expect((await Promise.all(slow)).map(({ text }) => text)).toEqual(["done", "done"]);
    expect(Object.keys(agent.requests)).toEqual([]);
    await agent.rotation.whenComplete(2);
  });

  test("the total limit still holds, and the waiting requests follow when sockets end", async () => {
    const held: ServerResponse[] = [];
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({
      authority,
      handler: (request, response) => {
        if (request.url === "/slow") held.push(response);
        else answerWithPeer(request, response);
      },
    });
    await using agent = createRotatingAgent(identity.source, { maxSockets: 2, maxTotalSockets: 2 });
    const slow = [1, 2].map(() => getWithAgent(agent, `${server.origin}/slow`));
    await until(() => held.length === 2);
    const waiting = Array.from({ length: 5 }, () => getWithAgent(agent, server.origin));
    identity.rotate();
    await agent.rotation.whenServed(2);
    for (const response of held) response.end("done");
    await Promise.all(slow);
    const answers = await Promise.all(waiting);
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([identity.leaf.certificate.sha256]));
  });

  test("a WebSocket is the application's from its upgrade on, and no drain waits for it", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority });
    server.server.on("upgrade", (_request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      socket.pipe(socket);
    });
    await using agent = createRotatingAgent(identity.source);
    const request = https.get(server.origin, { agent, headers: { Connection: "Upgrade", Upgrade: "echo" } });
    const [, socket] = await once(request, "upgrade");
    identity.rotate();
    await agent.rotation.whenComplete(2);
    socket.write("still here");
    expect(String((await once(socket, "data"))[0])).toBe("still here");
    socket.destroy();
  });

  test("after disposal requests fail with a reason", async () => {
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority });
    const agent = createRotatingAgent(identity.source);
    await getWithAgent(agent, server.origin);
    await agent[Symbol.asyncDispose]();
    await until(() => server.open().length === 0);
    await expect(getWithAgent(agent, server.origin)).rejects.toMatchObject({ code: "ERR_ROTATION_CLOSED" });
  });
});

let gc: (() => void) | undefined;

function collectGarbage(): void {
  if (!gc) {
    setFlagsFromString("--expose-gc");
    gc = runInNewContext("gc") as () => void;
  }
  gc();
}
