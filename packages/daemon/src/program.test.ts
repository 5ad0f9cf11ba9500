import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { z } from "zod";
import { createOutput } from "../test/captured-output.ts";
import { defineCommand, defineCommandGroup } from "./command.ts";
import { DaemonError, failure, usageError } from "./error.ts";
import { createHealth } from "./health.ts";
import { hostPort } from "./host-port.ts";
import { jsonOption } from "./internal/common-options.ts";
import { createMetrics } from "./metrics.ts";
import { type Program, type ProgramHost, runProgram } from "./program.ts";
import { runDaemon } from "./run-daemon.ts";

const untilStopped = async (signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
};

const server = defineCommand({
  name: "server",
  summary: "serve over mTLS",
  longRunning: { admin: "off" },
  examples: [{ note: "in front of a local service", command: "newleaf proxy server --listen :8443" }],
  options: { listen: { flag: "--listen <host:port>", description: "where", schema: hostPort() } },
  async run(config, context) {
    context.logger.info({ listen: config.listen }, "listening");
    if (config.listen.port === 2) {
      await untilStopped(context.signal);
      throw new Error("no identity in time", { cause: context.signal.reason });
    }
    await runDaemon(context, {
      health: createHealth(),
      metrics: await createMetrics(),
      tasks: [{ name: "server", run: untilStopped }],
      reload: () => context.logger.info({}, "reloaded"),
    });
  },
});
const check = defineCommand({
  name: "check",
  summary: "check a thing",
  arguments: { what: { placeholder: "<what>", description: "a thing", schema: z.string() } },
  options: { json: jsonOption },
  async run(config, context) {
    if (config.what === "usage") throw usageError("a thing and a half", "give a whole one");
    if (config.what === "fails") throw failure("the thing is broken", { hint: "mend it" });
    if (config.what === "bug") throw new TypeError("two\nlines");
    if (config.what === "waits") {
      await untilStopped(context.signal);
      context.signal.throwIfAborted();
    }
    context.stdout.write(config.json ? `${JSON.stringify(config)}\n` : context.style.green("fine\n"));
    return config.what === "bad" ? 1 : 0;
  },
});
const show = defineCommand({
  name: "show",
  summary: "show everything",
  options: { size: { flag: "--size <n>", description: "how much", schema: z.string(), default: "1" } },
  commands: [
    defineCommand({
      name: "part",
      summary: "show a part",
      options: { size: { flag: "--size <n>", description: "how much", schema: z.string(), default: "2" } },
      run: ({ size }, { stdout }) => void stdout.write(`part ${size}\n`),
    }),
  ],
  run: ({ size }, { stdout }) => void stdout.write(`everything ${size}\n`),
});
const program: Program = {
  name: "newleaf",
  version: "1.2.3",
  description: "certificate rotation",
  commands: [
    {
      name: "proxy",
      summary: "mTLS for any service",
      load: async () =>
        defineCommandGroup({ name: "proxy", summary: "mTLS for any service", commands: [server] }),
    },
    { name: "check", summary: "check a thing", load: async () => check },
    { name: "show", summary: "show everything", load: async () => show },
    { name: "heavy", summary: "slow to load", load: () => Promise.reject(new Error("loaded without need")) },
  ],
};

async function run(argv: readonly string[], more: Partial<ProgramHost> = {}) {
  const stdout = createOutput();
  const stderr = createOutput();
  const code = await runProgram(program, {
    argv,
    env: {},
    stdin: Readable.from([]),
    stdout,
    stderr,
    ...more,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

test("--help lists every command without loading one; --version is the version", async () => {
  const help = await run(["--help"]);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toMatch(
    /proxy +mTLS for any service\n +check +check a thing\n +show +show everything\n +heavy +slow to load/,
  );
  expect(await run(["--version"])).toEqual({ code: 0, stdout: "1.2.3\n", stderr: "" });
});

test("help of a command has options, sources and examples, by --help and by help", async () => {
  const help = await run(["proxy", "server", "--help"]);
  expect(help.code).toBe(0);
  for (const part of [
    "Usage: newleaf proxy server [options]",
    "--listen <host:port>",
    "NEWLEAF_PROXY_SERVER_<OPTION>",
    "--config",
    "Examples:\n  # in front of a local service\n  newleaf proxy server --listen :8443",
  ]) {
    expect(help.stdout).toContain(part);
  }
  expect(await run(["help", "proxy", "server"])).toEqual(help);
});

test("what cannot be parsed is one line, a hint, and exit code 2", async () => {
  expect(await run([])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("Usage: newleaf"),
  });
  expect(await run(["proxy"])).toMatchObject({ code: 2, stderr: expect.stringContaining("server") });
  expect(await run(["chekc", "x"])).toEqual({
    code: 2,
    stdout: "",
    stderr: "newleaf: unknown command 'chekc'\nhint: did you mean check?\n",
  });
  expect((await run(["proxy", "server", "--lisen", "x"])).stderr).toBe(
    "newleaf proxy server: unknown option '--lisen'\nhint: did you mean --listen?\n",
  );
  expect((await run(["check"])).stderr).toBe(
    "newleaf check: missing required argument 'what'\nhint: newleaf check --help lists what there is\n",
  );
  expect((await run(["check", "a", "b"])).code).toBe(2);
});

test("a command that runs by itself may have others under its word, each with its own options", async () => {
  const env = { NEWLEAF_SHOW_PART_SIZE: "5" };
  expect(await run(["show"], { env })).toEqual({ code: 0, stdout: "everything 1\n", stderr: "" });
  expect((await run(["show", "part"], { env })).stdout).toBe("part 5\n");
  expect((await run(["show", "--size", "3"])).stdout).toBe("everything 3\n");
  expect((await run(["show", "part", "--size", "4"])).stdout).toBe("part 4\n");
  const help = await run(["show", "--help"]);
  expect(help.stdout).toMatch(/Usage: newleaf show \[options\] \[command\][\s\S]*part +show a part/);
  expect((await run(["show", "part", "--help"])).stdout).toContain("NEWLEAF_SHOW_PART_<OPTION>");
  expect(await run(["show", "prat"])).toEqual({
    code: 2,
    stdout: "",
    stderr: "newleaf show: unknown command 'prat'\nhint: did you mean part?\n",
  });
  expect(await run(["show", "--size", "3", "part"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/option '--size' belongs after 'part'\nhint: /),
  });
});

test("the exit code is the command's; --json goes to stdout", async () => {
  expect(await run(["check", "good"])).toEqual({ code: 0, stdout: "fine\n", stderr: "" });
  expect(await run(["check", "bad", "--json"])).toEqual({
    code: 1,
    stdout: `{"what":"bad","json":true}\n`,
    stderr: "",
  });
});

test("errors end in one line and a hint: 2 for usage, 1 for the rest", async () => {
  expect(await run(["check", "usage"])).toEqual({
    code: 2,
    stdout: "",
    stderr: "newleaf check: a thing and a half\nhint: give a whole one\n",
  });
  expect(await run(["check", "fails"])).toMatchObject({
    code: 1,
    stderr: "newleaf check: the thing is broken\nhint: mend it\n",
  });
  expect(await run(["check", "bug"])).toMatchObject({ code: 1, stderr: "newleaf check: two; lines\n" });
  expect((await run(["check", "bug", "--log-level", "debug"])).stderr).toMatch(
    /TypeError: two\n.*at .*program\.test/s,
  );
});

test("a configuration that is refused runs nothing", async () => {
  expect(await run(["proxy", "server"], { env: { NEWLEAF_PROXY_SERVER_LISTEN: "8443" } })).toEqual({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(
      /^newleaf proxy server: --listen \(from NEWLEAF_PROXY_SERVER_LISTEN\): .*\nhint: .*\n$/,
    ),
  });
});

test("a config file fills in; an unknown key is refused with a suggestion", async () => {
  const directory = mkdtempSync(join(tmpdir(), "newleaf-program-"));
  try {
    const path = join(directory, "c.yaml");
    writeFileSync(path, "listn: :1\n");
    expect(await run(["proxy", "server", "--config", path])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`unknown option listn (from ${path}:1:8)\nhint: did you mean listen?`),
    });
    writeFileSync(path, "listen: :1\nlog-level: silent\n");
    const signal = AbortSignal.abort();
    expect(await run(["proxy", "server", "--config", path], { signal })).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a long-running command reloads on SIGHUP, stops on SIGTERM with 0 and leaves no listener", async () => {
  const emitter = Object.assign(new EventEmitter(), { exit: () => expect.unreachable() });
  const stderr = createOutput();
  const running = run(["proxy", "server", "--listen", ":1"], { process: emitter, stderr });
  await expect.poll(() => stderr.text(), { timeout: 15_000 }).toContain("listening");
  emitter.emit("SIGHUP");
  emitter.emit("SIGTERM");
  expect(await running).toMatchObject({ code: 0 });
  const messages = stderr
    .text()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).msg);
  expect(messages).toEqual(["listening", "reloading on SIGHUP", "reloaded", "stopping", "stopped"]);
  expect(emitter.eventNames()).toEqual([]);
});

test("a long-running command that is stopped while it starts ends with 0 too", async () => {
  const argv = ["proxy", "server", "--listen", ":2", "--log-level", "silent"];
  expect(await run(argv, { signal: AbortSignal.abort() })).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("a short command that is interrupted says so and ends as shells expect it", async () => {
  const reason = new DaemonError("ERR_DAEMON_INTERRUPTED", "interrupted by SIGINT");
  expect(await run(["check", "waits"], { signal: AbortSignal.abort(reason) })).toMatchObject({ code: 1 });
  const emitter = Object.assign(new EventEmitter(), { exit: () => expect.unreachable() });
  const running = run(["check", "waits"], { process: emitter });
  await expect.poll(() => emitter.listenerCount("SIGINT"), { timeout: 15_000 }).toBe(1);
  emitter.emit("SIGINT");
  expect(await running).toMatchObject({ code: 130, stderr: "newleaf check: interrupted by SIGINT\n" });
  const stopped = run(["check", "waits"], { process: emitter });
  await expect.poll(() => emitter.listenerCount("SIGTERM"), { timeout: 15_000 }).toBe(1);
  emitter.emit("SIGTERM");
  expect(await stopped).toMatchObject({ code: 143, stderr: "newleaf check: interrupted by SIGTERM\n" });
});

test("an exception nobody caught ends the process with one line", async () => {
  const exits: number[] = [];
  const stop = new AbortController();
  const emitter = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) });
  const stderr = createOutput(true);
  const running = run(["proxy", "server", "--listen", ":1"], {
    process: emitter,
    stderr,
    signal: stop.signal,
  });
  await expect.poll(() => emitter.listenerCount("uncaughtException"), { timeout: 15_000 }).toBe(1);
  emitter.emit("uncaughtException", new Error("a bug"));
  expect(exits).toEqual([1]);
  expect(stderr.text()).toContain("newleaf proxy server: a bug\n");
  stop.abort();
  await running;
});

test("a reader that goes away is no error", async () => {
  const stdout = createOutput();
  const running = run(["check", "waits"], { stdout });
  stdout.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  expect(await running).toMatchObject({ code: 0 });
});

test("a mistyped variable is warned of; what Kubernetes injects for a Service is not", async () => {
  const env = {
    NEWLEAF_PROXY_SERVER_LISTEN: ":1",
    NEWLEAF_PROXY_SERVER_GRCE: "1s",
    NEWLEAF_PROXY_SERVER_SERVICE_HOST: "10.0.0.1",
    NEWLEAF_PROXY_SERVER_PORT_8443_TCP_ADDR: "10.0.0.1",
  };
  const { stderr } = await run(["proxy", "server"], { env, signal: AbortSignal.abort() });
  const warnings = stderr.split("\n").filter((line) => line.includes("unknown environment variable"));
  expect(warnings.map((line) => JSON.parse(line))).toMatchObject([
    { level: "warn", variable: "NEWLEAF_PROXY_SERVER_GRCE", near: "NEWLEAF_PROXY_SERVER_GRACE" },
  ]);
});

test("colours only on a terminal, and not under NO_COLOR", async () => {
  const colored = async (env: Record<string, string>, tty: boolean) => {
    const stdout = createOutput(tty);
    await run(["check", "good"], { stdout, env });
    return stdout.text().includes("\u001b[");
  };
  expect(await colored({}, true)).toBe(true);
  expect(await colored({}, false)).toBe(false);
  expect(await colored({ NO_COLOR: "1" }, true)).toBe(false);
  expect(await colored({ FORCE_COLOR: "1" }, false)).toBe(true);
});
