import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type AdminServer, serveAdmin } from "./admin-server.ts";
import { createHealth } from "./health.ts";
import { createMetrics } from "./metrics.ts";

const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function start() {
  const health = createHealth();
  const metrics = await createMetrics();
  const routes = {
    "/rotations": () => ({ body: `{"rotations":[]}` }),
    "/broken": () => {
      throw new Error("broken route");
    },
  };
  const server = await serveAdmin({ address: { host: "127.0.0.1", port: 0 }, health, metrics, routes });
  servers.push(server);
  return { health, metrics, server };
}

test("port 0 becomes the actual one; health, metrics and routes answer", async () => {
  const { health, metrics, server } = await start();
  expect(server.address.port).toBeGreaterThan(0);
  metrics.gauge({ name: "answer", help: "of everything" }).set(42);
  health.addReadiness("identity", () => ({ ok: true, details: { generation: 3 } }));

  expect(await (await fetch(`${server.url}/livez`)).text()).toBe("alive\n");
  expect(await (await fetch(`${server.url}/readyz`)).text()).toBe("ready\n");
  expect(await (await fetch(`${server.url}/readyz?verbose`)).json()).toEqual({
    ready: true,
    reasons: [],
    checks: { identity: { ok: true, details: { generation: 3 } } },
  });
  const exposition = await fetch(`${server.url}/metrics`);
  expect(exposition.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  expect(await exposition.text()).toContain("answer 42");
  expect(await (await fetch(`${server.url}/rotations`)).json()).toEqual({ rotations: [] });
});

test("not ready is 503 with the reason in one line", async () => {
  const { health, server } = await start();
  health.addReadiness("identity", () => ({ ok: false, reason: "certificate expired 3s ago" }));
  const response = await fetch(`${server.url}/readyz`);
  expect(response.status).toBe(503);
  expect(await response.text()).toBe("not ready: identity: certificate expired 3s ago\n");
});

test("HEAD has the headers only, other methods are 405, other paths 404, a broken route 500", async () => {
  const { server } = await start();
  const head = await fetch(`${server.url}/livez`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "6", ""]);
  const post = await fetch(`${server.url}/livez`, { method: "POST", body: "x" });
  expect([post.status, post.headers.get("allow"), await post.json()]).toEqual([
    405,
    "GET, HEAD",
    { error: "method not allowed" },
  ]);
  const missing = await fetch(`${server.url}/nothing`);
  expect([missing.status, (await missing.json()) as object]).toEqual([
    404,
    { error: "not found", paths: ["/livez", "/readyz", "/metrics", "/rotations", "/broken"] },
  ]);
  const broken = await fetch(`${server.url}/broken`);
  expect([broken.status, await broken.json()]).toEqual([500, { error: "broken route" }]);
});

test("a target that is no path is answered, not crashed on", async () => {
  const { server } = await start();
  const socket = connect(server.address.port, "127.0.0.1");
  const chunks: string[] = [];
  socket.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
  socket.end("GET //[ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  await new Promise((resolve) => socket.once("close", resolve));
  expect(chunks.join("")).toMatch(/^HTTP\/1.1 404 /);
});

test("an address in use is ERR_DAEMON_LISTEN with a hint; disposal closes idle connections", async () => {
  const { health, metrics, server } = await start();
  await expect(serveAdmin({ address: server.address, health, metrics })).rejects.toMatchObject({
    code: "ERR_DAEMON_LISTEN",
    message: expect.stringContaining("EADDRINUSE"),
    hint: expect.stringContaining("--admin"),
  });
  const idle = connect(server.address.port, "127.0.0.1");
  await new Promise((resolve) => idle.once("connect", resolve));
  const closed = new Promise((resolve) => idle.once("close", resolve));
  await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
  idle.resume();
  await closed;
});
