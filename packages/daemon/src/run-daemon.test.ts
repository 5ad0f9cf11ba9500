import { expect, test } from "vitest";
import { createOutput } from "../test/captured-output.ts";
import type { CommandContext } from "./command.ts";
import { createHealth } from "./health.ts";
import type { Logger } from "./logger.ts";
import { createMetrics } from "./metrics.ts";
import { runDaemon } from "./run-daemon.ts";
import { startDaemon } from "./start-daemon.ts";
import { createStyle } from "./style.ts";

interface Line {
  readonly message: string;
  readonly url?: string;
}

function createContext(signal: AbortSignal, shutdownDelayMs = 0): CommandContext & { lines: Line[] } {
  const lines: Line[] = [];
  const log = (fields: object, message: string) => void lines.push({ message, ...fields });
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  return {
    lines,
    signal,
    logger,
    stdin: process.stdin,
    stdout: createOutput(),
    stderr: createOutput(),
    env: {},
    style: createStyle(false),
    onReload: () => ({ [Symbol.dispose]() {} }),
    daemon: { admin: { host: "127.0.0.1", port: 0 }, graceMs: 25_000, shutdownDelayMs },
    commandName: "newleaf test",
    version: "0",
  };
}

test("on stop readiness goes off first, and the admin server answers until the last task has ended", async () => {
  const stop = new AbortController();
  const context = createContext(stop.signal);
  let finish = () => {};
  const drained = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const running = runDaemon(context, {
    health: createHealth(),
    metrics: await createMetrics(),
    tasks: [{ name: "draining", run: () => drained }],
  });
  await expect
    .poll(() => context.lines.map((line) => line.message), { timeout: 15_000 })
    .toEqual(["admin listening"]);
  const url = context.lines[0]?.url ?? "";
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  stop.abort(new Error("interrupted by SIGTERM"));
  const response = await fetch(`${url}/readyz`);
  expect([response.status, await response.text()]).toEqual([503, "not ready: shutdown: shutting down\n"]);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  finish();
  await running;
  await expect(fetch(`${url}/livez`)).rejects.toThrow();
});

test("a task that fails during the shutdown delay ends it", async () => {
  const stop = new AbortController();
  const context = createContext(stop.signal, 20_000);
  let fail = (_error: Error) => {};
  const failing = new Promise<void>((_resolve, reject) => {
    fail = reject;
  });
  const running = runDaemon(context, {
    health: createHealth(),
    metrics: await createMetrics(),
    tasks: [{ name: "failing", run: () => failing }],
  });
  stop.abort();
  fail(new Error("broken"));
  await expect(running).rejects.toThrow("broken");
});

test("while it starts it is alive, and not ready for the reasons its checks give", async () => {
  const stop = new AbortController();
  const context = createContext(stop.signal);
  const health = createHealth();
  await using daemon = await startDaemon(context, { health, metrics: await createMetrics() });
  const url = context.lines[0]?.url ?? "";
  const answer = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return [response.status, await response.text()];
  };
  const waiting = health.addReadiness("identity", () => ({ ok: false, reason: "tls.crt is missing" }));
  expect(await answer("/livez")).toEqual([200, "alive\n"]);
  expect(await answer("/readyz")).toEqual([
    503,
    "not ready: start: still starting; identity: tls.crt is missing\n",
  ]);
  expect((await answer("/more"))[0]).toBe(404);

  waiting[Symbol.dispose]();
  expect(await answer("/readyz")).toEqual([503, "not ready: start: still starting\n"]);
  let answered: readonly unknown[] = [];
  await daemon.run({
    routes: { "/more": () => ({ body: "{}" }) },
    tasks: [
      {
        name: "asking",
        async run() {
          answered = [await answer("/readyz"), await answer("/more")];
        },
      },
    ],
  });
  expect(answered).toEqual([
    [200, "ready\n"],
    [200, "{}"],
  ]);
});

test("stopped before it runs, it tells its tasks at once", async () => {
  const context = createContext(AbortSignal.abort(new Error("interrupted by SIGTERM")));
  await using daemon = await startDaemon(context, { health: createHealth(), metrics: await createMetrics() });
  await daemon.run({
    tasks: [
      {
        name: "waiting",
        run: (signal) =>
          new Promise((resolve) =>
            signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve()),
          ),
      },
    ],
  });
  expect(context.lines.map(({ message }) => message)).toEqual(["admin listening", "stopping", "stopped"]);
});
