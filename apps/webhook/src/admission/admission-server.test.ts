import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import { connect } from "node:tls";
import { silentLogger } from "@newleaf/daemon";
import { createIdentityHolder, type IdentitySource } from "@newleaf/rotation";
import { createTestAuthority } from "@newleaf/testing";
import { expect, onTestFinished, test } from "vitest";
import { type AdmissionServer, startAdmissionServer } from "./admission-server.ts";

const authority = createTestAuthority();

function identity(): IdentitySource {
  const holder = createIdentityHolder();
  const {
    "tls.crt": certificates = "",
    "tls.key": key = "",
    "ca.crt": trust = "",
  } = authority.issue({ dnsNames: ["webhook"] }).files() as Record<string, string>;
  holder.offer({ certificates, key, trust });
  const source = holder.asSource({ reload: async () => {}, close: async () => holder.close() });
  onTestFinished(() => source[Symbol.asyncDispose]());
  return source;
}

async function start(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  options: { readonly headersTimeoutMs?: number } = {},
) {
  const leaving = new AbortController();
  const source = identity();
  const server = await startAdmissionServer({
    listen: { host: "127.0.0.1", port: 0 },
    ...{ source, handler, leaving: leaving.signal, logger: silentLogger },
    onRejection: () => {},
    ...options,
  });
  const agent = new Agent({ keepAlive: true, ca: authority.trustPem, servername: "webhook" });
  onTestFinished(async () => {
    agent.destroy();
    await server[Symbol.asyncDispose]();
  });
  return { server, leaving, agent };
}

async function ask({ address }: AdmissionServer, agent: Agent) {
  const outgoing = request({ ...address, agent, method: "POST", path: "/validate" }).end("{}");
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response;
}

test("what is being answered when it stops is answered, on its last connection, and nothing new is taken", async () => {
  const held: ServerResponse[] = [];
  const { server, leaving, agent } = await start((_request, response) => void held.push(response));
  const answer = ask(server, agent);
  await expect.poll(() => held.length).toBe(1);
  leaving.abort();
  const stopped = server.stop(AbortSignal.timeout(10_000));
  held[0]?.end("late");
  expect((await answer).headers.connection).toBe("close");
  await stopped;
  await expect(ask(server, agent)).rejects.toThrow(/ECONNREFUSED/);
});

test("from the moment it leaves each answer is the last of its connection, while it still serves", async () => {
  const { server, leaving, agent } = await start((_request, response) => response.end("ok"));
  expect((await ask(server, agent)).headers.connection).toBe("keep-alive");
  leaving.abort();
  expect((await ask(server, agent)).headers.connection).toBe("close");
  expect((await ask(server, agent)).statusCode).toBe(200);
});

test("what does not end is cut at the deadline", async () => {
  const { server, agent } = await start(() => {});
  const answer = ask(server, agent);
  const failed = expect(answer).rejects.toThrow(/socket hang up|ECONNRESET/);
  await expect.poll(() => server.rotation.stats().connections).toBeGreaterThan(0);
  await server.stop(AbortSignal.timeout(50));
  await failed;
});

test("who never ends the head of a request is sent away", async () => {
  const { server } = await start(() => {}, { headersTimeoutMs: 100 });
  const socket = connect({ ...server.address, ca: authority.trustPem, servername: "webhook" });
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.write("POST /validate HTTP/1.1\r\nhost: x\r\n");
  await once(socket, "close");
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
});

test("an address that is taken is named, with advice", async () => {
  const { server } = await start(() => {});
  const second = startAdmissionServer({
    listen: server.address,
    source: identity(),
    handler: () => {},
    leaving: new AbortController().signal,
    logger: silentLogger,
    onRejection: () => {},
  });
  await expect(second).rejects.toMatchObject({
    code: "ERR_DAEMON_LISTEN",
    hint: "choose another address with --listen",
  });
});
