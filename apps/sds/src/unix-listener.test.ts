import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, readdirSync, renameSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { listenOnSocket } from "./unix-listener.ts";

async function place(): Promise<{ folder: string; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "newleaf-sds-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return { folder, path: join(folder, "sds.sock") };
}

const listen = (path: string, onConnection: (socket: Socket) => void = (socket) => void socket.destroy()) =>
  listenOnSocket(path, { mode: 0o600, maxConnections: 10, onConnection });

const modeOf = (path: string): string => (lstatSync(path).mode & 0o777).toString(8);

test("the socket has its mode, takes connections, and is gone at the end, with nothing beside it", async () => {
  const { folder, path } = await place();
  const greeted = deferred();
  const listener = await listen(path, (socket) => {
    greeted.resolve();
    socket.destroy();
  });
  expect(modeOf(path)).toBe("600");
  expect(readdirSync(folder)).toEqual(["sds.sock"]);
  connect({ path }).on("error", () => {});
  await greeted.promise;
  await listener[Symbol.asyncDispose]();
  await listener[Symbol.asyncDispose]();
  expect(readdirSync(folder)).toEqual([]);
});

test("a socket that a dead process left behind is replaced", async () => {
  const { path } = await place();
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("ready"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await expect(listen(path)).rejects.toThrow("another process answers there");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(lstatSync(path).isSocket()).toBe(true);
  await using listener = await listen(path);
  expect(listener.address).toBe(`unix:${path}`);
});

test("at the end a socket that is another one by now is left alone", async () => {
  const { folder, path } = await place();
  const listener = await listen(path);
  const other = await listen(join(folder, "other.sock"));
  renameSync(join(folder, "other.sock"), path);
  await listener[Symbol.asyncDispose]();
  expect(lstatSync(path).isSocket()).toBe(true);
  await other[Symbol.asyncDispose]();
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
