import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { createSpiffeAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { createWorld, eventually, type World } from "./helper-world.ts";

/** A TLS server that reads its files only when it is asked to, and may ignore that. */
async function startApplication(world: World) {
  let ignored = 0;
  let broken = false;
  let reloads = 0;
  const read = () => ({
    cert: readFileSync(world.path("svid.pem")),
    key: readFileSync(world.path("key.pem")),
  });
  const server = createTlsServer();
  server.on("tlsClientError", () => {});
  const control = createHttpServer((_request, response) => {
    reloads += 1;
    if (broken) return response.writeHead(500).end();
    if (ignored > 0) ignored -= 1;
    else server.setSecureContext(read());
    response.writeHead(200).end();
  });
  const port = await listen(server);
  const url = `http://127.0.0.1:${await listen(control)}/reload`;
  return {
    port,
    reloads: () => reloads,
    readFiles: () => server.setSecureContext(read()),
    breakControl: (now: boolean) => {
      broken = now;
    },
    ignore: (count: number) => {
      ignored = count;
    },
    block: (timeout = "100ms") =>
      `reload "app" { kind = "http" url = "${url}" verify { address = "127.0.0.1:${port}" timeout = "${timeout}" } }`,
    [Symbol.dispose]() {
      server.close();
      control.close();
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test("issue #65: a reload is done when a handshake shows the new leaf", async () => {
  await using world = await createWorld();
  using app = await startApplication(world);
  const helper = await world.helper(app.block());
  await helper.untilLogged("the new certificate is served");
  world.api.rotate();
  await helper.untilLogged("the new certificate is served", 2);
  await eventually(async () => (await helper.admin("/metrics")).body).toContain(
    `newleaf_served_matches_delivered{target="tls://127.0.0.1:${app.port}"} 1`,
  );
  expect((await helper.admin("/metrics")).body).toContain(
    `newleaf_helper_reloads_total{reload="app",outcome="done"} 2`,
  );
});

test("a reload without effect: not ready, a line and a metric say what is served and until when, and it is tried again", async () => {
  await using world = await createWorld();
  using app = await startApplication(world);
  const helper = await world.helper(app.block());
  await helper.untilLogged("the new certificate is served");
  const before = world.api.svids[0]?.identity.certificate;
  app.ignore(1_000);
  world.api.rotate();
  await helper.untilLogged("the new certificate is not served", 2);
  const line = helper.log().find(({ msg }) => msg === "the new certificate is not served");
  expect(line).toMatchObject({
    level: "error",
    reload: "app",
    verdict: "older",
    served: before?.serialNumber,
    servedUntil: before?.notAfter.toISOString(),
  });
  const { status, body } = await helper.admin("/readyz");
  expect(status).toBe(503);
  expect(body).toContain(`serves another certificate (older), serial ${before?.serialNumber}, until`);
  expect((await helper.admin("/metrics")).body).toContain(
    `newleaf_served_matches_delivered{target="tls://127.0.0.1:${app.port}"} 0`,
  );
  expect(app.reloads()).toBeGreaterThanOrEqual(3);
  app.ignore(0);
  await helper.untilLogged("the new certificate is served", 2);
  await eventually(async () => (await helper.admin("/readyz")).status).toBe(200);
});

test("an application that served and can no longer be told is not ready, until it can", async () => {
  await using world = await createWorld();
  using app = await startApplication(world);
  const helper = await world.helper(app.block());
  await helper.untilLogged("the new certificate is served");
  app.breakControl(true);
  world.api.rotate();
  await helper.untilLogged("reload failed");
  expect((await helper.admin("/readyz")).body).toMatch(
    /served: app: it could not be told .*\/reload answered 500/,
  );
  app.breakControl(false);
  await helper.untilLogged("the new certificate is served", 2);
  expect((await helper.admin("/readyz")).status).toBe(200);
});

test("with add_intermediates_to_bundle a server that sends the leaf alone is proved", async () => {
  await using world = await createWorld({ authority: createSpiffeAuthority({ intermediate: true }) });
  using app = await startApplication(world);
  const helper = await world.helper(`add_intermediates_to_bundle = true\n${app.block()}`);
  await helper.untilLogged("the new certificate is served");
});

test("an application that watches its files is only looked at", async () => {
  await using world = await createWorld();
  using app = await startApplication(world);
  const helper = await world.helper(
    `reload "watch" { verify { address = "127.0.0.1:${app.port}" timeout = "100ms" } }`,
  );
  await helper.untilLogged("the new certificate is not served");
  expect(app.reloads()).toBe(0);
  app.readFiles();
  await helper.untilLogged("the new certificate is served");
});

test("a target that is not there yet does not hold readiness back: it may wait for it", async () => {
  await using world = await createWorld();
  const block = `reload "exec" { command = ["true"] verify { address = "127.0.0.1:1" timeout = "50ms" } }`;
  const helper = await world.helper(block);
  await helper.untilLogged("the new certificate is not served");
  expect((await helper.admin("/readyz")).status).toBe(200);
});

test("a reload that cannot be carried out holds up neither the files nor the other reloads", async () => {
  await using world = await createWorld();
  using app = await startApplication(world);
  const helper = await world.helper(`reload "exec" { command = ["/no/such/program"] }\n${app.block()}`);
  await helper.untilLogged("reload failed");
  for (let turn = 0; turn < 3; turn++) {
    world.api.rotate();
    await world.untilCurrent();
    await helper.untilLogged("the new certificate is served", turn + 1);
  }
});

test("issues #250 and #251: a dead process in the pid file never blocks the next update", async () => {
  await using world = await createWorld();
  const helper = await world.helper(`pid_file_name = "/no/such/file.pid"\nrenew_signal = "SIGHUP"`);
  await world.untilCurrent();
  for (let turn = 0; turn < 5; turn++) {
    world.api.rotate();
    await world.untilCurrent();
  }
  const { body } = await helper.admin("/rotations");
  expect(JSON.stringify(JSON.parse(body).rotations)).toContain("pid file /no/such/file.pid cannot be read");
  expect((await helper.admin("/readyz")).status).toBe(200);
});
