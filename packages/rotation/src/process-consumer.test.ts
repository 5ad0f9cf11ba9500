import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRotatingIdentity } from "../test/rotating-identity.ts";
import { collect, until } from "../test/waiting.ts";
import { createHookConsumer } from "./hook-consumer.ts";
import { createSignalConsumer } from "./process-consumer.ts";
import { startRotation } from "./rotation.ts";

/** A server in another process that reads its files when told to, as nginx and PostgreSQL do. */
const SERVER = `
const tls = require("node:tls"), fs = require("node:fs");
const read = () => ({ cert: fs.readFileSync("tls.crt"), key: fs.readFileSync("tls.key") });
const server = tls.createServer(read(), (socket) => socket.on("error", () => {}));
let ignored = Number(process.argv[1] ?? 0);
process.on("SIGHUP", () => { if (ignored-- <= 0) server.setSecureContext(read()); });
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

let directory: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "newleaf-signal-"));
});
afterEach(async () => {
  child?.kill("SIGKILL");
  await rm(directory, { recursive: true });
});

describe("a server in another process", () => {
  test.each(["child", "pid file"])("reloads at a signal to its %s, and is proved to", async (by) => {
    await using identity = createRotatingIdentity();
    const target = await startServer(identity.leaf);
    const pidFile = join(directory, "server.pid");
    await writeFile(pidFile, `${child?.pid}\nmore lines\n`);
    if (!child) throw new Error("unreachable");
    await using rotation = startRotation(identity.source, [
      createSignalConsumer({ process: by === "child" ? { child } : { pidFile }, targets: [target] }),
    ]);
    await rotation.whenServed(1);
    const leaf = identity.authority.issue();
    await write(leaf);
    identity.rotate({ leaf });
    const record = await rotation.whenComplete(2);
    expect(record.consumers[0]?.served?.[0]).toMatchObject({
      target,
      verdict: "equal",
      trusted: { ok: true },
    });
  });

  test("that overhears the signal stalls the rotation, which says what is served, and is told again", async () => {
    await using identity = createRotatingIdentity();
    const first = identity.leaf.certificate;
    const target = await startServer(identity.leaf, 2);
    if (!child) throw new Error("unreachable");
    await using rotation = startRotation(
      identity.source,
      [createSignalConsumer({ name: "server", process: { child }, targets: [target], proveWithinMs: 50 })],
      { retry: { baseMs: 1, maxMs: 5 } },
    );
    const records = collect(rotation);
    await rotation.whenComplete(1);
    const leaf = identity.authority.issue();
    await write(leaf);
    identity.rotate({ leaf });
    await rotation.whenComplete(2);
    await until(() => records.length === 3);
    expect(records[1]).toMatchObject({
      outcome: "stalled",
      reason: { code: "not_served", message: `server: ${target} is older` },
      stillServed: { sha256: first.sha256, notAfter: first.notAfter },
    });
  });

  test("that is dead is a clear reason, and the next update is taken as soon as it is back", async () => {
    await using identity = createRotatingIdentity();
    const pidFile = join(directory, "server.pid");
    const dead = spawn(process.execPath, ["--version"]);
    await once(dead, "exit");
    await writeFile(pidFile, `${dead.pid}`);
    const loaded: number[] = [];
    await using rotation = startRotation(
      identity.source,
      [
        createSignalConsumer({ name: "server", process: { pidFile } }),
        createHookConsumer({ name: "hook", load: ({ number }) => void loaded.push(number) }),
      ],
      { retry: { baseMs: 1, maxMs: 5 } },
    );
    const records = collect(rotation);
    await until(() => records.length > 0);
    expect(records[0]?.reason).toMatchObject({
      code: "load_failed",
      message: `server: SIGHUP to process ${dead.pid}: no such process`,
    });
    identity.rotate();
    await until(() => loaded.includes(2));
    const target = await startServer(identity.leaf);
    await writeFile(pidFile, `${child?.pid}`);
    await rotation.whenComplete(2);
    expect(target).toBeDefined();
  });
});

describe("pid files", () => {
  test.each(["", "0", "1", "-1", "-4242", "abc", "12 34", "99999999999", "1e3"])(
    "%j is refused",
    async (text) => {
      const pidFile = join(directory, "pid");
      await writeFile(pidFile, text);
      await using identity = createRotatingIdentity();
      const consumer = createSignalConsumer({ process: { pidFile } });
      await expect(
        consumer.load(identity.source.current(), new AbortController().signal),
      ).rejects.toMatchObject({
        code: "ERR_ROTATION_PROCESS",
        message: `pid file ${pidFile} names no process to signal`,
      });
    },
  );

  test("a missing file and a child that ended say so", async () => {
    await using identity = createRotatingIdentity();
    const load = (process: Parameters<typeof createSignalConsumer>[0]["process"]) =>
      createSignalConsumer({ process }).load(identity.source.current(), new AbortController().signal);
    await expect(load({ pidFile: join(directory, "missing") })).rejects.toThrow("cannot be read");
    const ended = spawn(process.execPath, ["--version"]);
    await once(ended, "exit");
    await expect(load({ child: ended })).rejects.toThrow("has ended (0)");
    await expect(load({ pid: () => 0 })).rejects.toThrow("process names no process to signal");
  });
});

test("a hook may prove by itself", async () => {
  await using identity = createRotatingIdentity();
  let calls = 0;
  const consumer = createHookConsumer({
    name: "api",
    load: async () => {},
    prove: async () => [{ target: "api", verdict: ++calls < 3 ? "older" : "equal", durationMs: 0 }],
  });
  await using rotation = startRotation(identity.source, [consumer], { retry: { baseMs: 1, maxMs: 5 } });
  await rotation.whenComplete(1);
  expect(calls).toBe(3);
});

async function startServer(leaf: { chainPem: string; keyPem: string }, ignoredSignals = 0): Promise<string> {
  await write(leaf);
  child = spawn(process.execPath, ["-e", SERVER, String(ignoredSignals)], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!child.stdout) throw new Error("unreachable");
  const [port] = (await once(createInterface(child.stdout), "line")) as [string];
  return `tls://127.0.0.1:${port}`;
}

async function write({ chainPem, keyPem }: { chainPem: string; keyPem: string }): Promise<void> {
  await writeFile(join(directory, "tls.key"), keyPem);
  await writeFile(join(directory, "tls.crt"), chainPem);
}
