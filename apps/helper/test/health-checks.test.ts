import { rename } from "node:fs/promises";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { createWorld, eventually } from "./helper-world.ts";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function ask(port: number, path: string) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  const type = response.headers.get("content-type");
  return {
    status: response.status,
    type,
    body: response.ok || response.status === 503 ? await response.json() : undefined,
  };
}

test("option health_checks, issue #423: unwritten is alive but not ready, written is both, failed is neither", async () => {
  await using world = await createWorld({ started: false });
  const port = await freePort();
  const helper = await world.helper(
    `health_checks { listener_enabled = true bind_port = ${port} }\njwt_bundle_file_name = "jwt.json"`,
  );
  await helper.untilLogged("admin listening");
  const statuses = (x509: string, jwt: string, status: string) => ({
    status,
    health: {
      file_write_statuses: { x509_write_status: x509, jwt_write_status: { [world.path("jwt.json")]: jwt } },
    },
  });
  const unwritten = { status: 200, type: "application/json", body: statuses("unwritten", "unwritten", "OK") };
  expect(await ask(port, "/live")).toEqual(unwritten);
  expect(await ask(port, "/ready")).toMatchObject({
    status: 503,
    body: statuses("unwritten", "unwritten", "Service Unavailable"),
  });
  expect((await ask(port, "/other")).status).toBe(404);
  await world.api.start();
  await eventually(() => ask(port, "/ready")).toMatchObject({
    status: 200,
    body: statuses("written", "written", "OK"),
  });

  await rename(world.certDir, `${world.certDir}-away`);
  world.api.rotate();
  await eventually(() => ask(port, "/live")).toMatchObject({
    status: 503,
    body: statuses("failed", "written", "Service Unavailable"),
  });
  expect((await ask(port, "/ready")).status).toBe(503);
  await rename(`${world.certDir}-away`, world.certDir);
  await eventually(() => ask(port, "/ready")).toMatchObject({ status: 200 });
});

test("options liveness_path and readiness_path; a port that is taken ends the helper with 1", async () => {
  await using world = await createWorld();
  const port = await freePort();
  const block = `health_checks { listener_enabled = true bind_port = ${port} liveness_path = "/l" readiness_path = "/r" }`;
  await world.helper(block);
  await eventually(() => ask(port, "/r").catch(() => undefined)).toMatchObject({ status: 200 });
  expect((await ask(port, "/l")).status).toBe(200);
  const second = await world.helper(block.replace("{", "{ # again\n"));
  expect(await second.code).toBe(1);
  expect(second.log().at(-1)?.error).toMatch(/health checks cannot listen on port/);
});
