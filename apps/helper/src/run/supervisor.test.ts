import { EventEmitter } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@newleaf/daemon";
import { expect, test } from "vitest";
import type { CommandConfig } from "../config/config.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";

/** A program that writes what happens to it into a file, one word a line. */
async function world(
  script: string,
  config: Partial<CommandConfig> = {},
  renewSignal?: NodeJS.Signals,
  host: EventEmitter = new EventEmitter(),
) {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-supervisor-"));
  const [log, program] = [join(directory, "log"), join(directory, "program.mjs")];
  await writeFile(log, "");
  const say = `import { appendFileSync } from "node:fs"; const say = (word) => appendFileSync(${JSON.stringify(log)}, word + "\\n");`;
  await writeFile(program, `${say}\n${script}`);
  const command: CommandConfig = {
    program: process.execPath,
    arguments: [program, "one two", ""],
    restart: "on-failure",
    wrapped: false,
    ...config,
  };
  const backoff = { baseMs: 1, maxMs: 20 };
  const supervisor: Supervisor = createSupervisor({
    command,
    renewSignal,
    logger: silentLogger,
    backoff,
    host,
  });
  const words = async () => (await readFile(log, "utf8")).split("\n").filter((word) => word !== "");
  return {
    supervisor,
    words,
    until: (word: string, count = 1) =>
      expect
        .poll(async () => (await words()).filter((found) => found === word).length, { timeout: 20_000 })
        .toBeGreaterThanOrEqual(count),
    async [Symbol.asyncDispose]() {
      await supervisor.stop("SIGKILL", 1_000);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const forever = "setInterval(() => {}, 1000);";

test("option cmd: started by the first write, signalled by later ones", async () => {
  await using run = await world(
    `process.on("SIGHUP", () => say("hup")); say("start"); say(JSON.stringify(process.argv.slice(2))); ${forever}`,
    {},
    "SIGHUP",
  );
  await run.supervisor.renew();
  await run.until('["one two",""]');
  await run.supervisor.renew();
  await run.until("hup");
  expect((await run.words()).filter((word) => word === "start")).toHaveLength(1);
});

test("a program that has just begun is not signalled before it can have its handler", async () => {
  await using run = await world(
    `setTimeout(() => { process.on("SIGHUP", () => say("hup")); say("start"); }, 50); ${forever}`,
    { restart: "no" },
    "SIGHUP",
  );
  await run.supervisor.renew();
  await run.supervisor.renew();
  await run.until("hup");
  expect(await run.words()).toEqual(["start", "hup"]);
});

test("issue #269: a command that crashed is started again without waiting for the next renewal", async () => {
  await using run = await world(`say("start"); process.exit(3);`);
  await run.supervisor.renew();
  await run.until("start", 3);
});

test("option cmd: one that ended well is started again by the next write", async () => {
  await using run = await world(`say("start");`, { wrapped: false });
  await run.supervisor.renew();
  await run.until("start");
  await expect
    .poll(
      async () => {
        await run.supervisor.renew();
        return (await run.words()).length;
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThanOrEqual(2);
});

test("defect: on shutdown the command gets the signal and is waited for", async () => {
  await using run = await world(
    `process.on("SIGTERM", () => setTimeout(() => { say("ended in order"); process.exit(0); }, 100)); say("start"); ${forever}`,
  );
  await run.supervisor.renew();
  await run.until("start");
  await run.supervisor.stop("SIGTERM", 10_000);
  expect(await run.words()).toEqual(["start", "ended in order"]);
});

test("one that does not end in time is killed", async () => {
  await using run = await world(`process.on("SIGTERM", () => say("term")); say("start"); ${forever}`, {
    wrapped: true,
  });
  await run.supervisor.renew();
  await run.until("start");
  await run.supervisor.stop("SIGTERM", 100);
  expect(await run.supervisor.ended).toBe(128 + 9);
});

test("issue #249: a wrapped command's exit code and its death by a signal are passed on", async () => {
  await using run = await world("process.exit(7);", { wrapped: true, restart: "no" });
  await run.supervisor.renew();
  expect(await run.supervisor.ended).toBe(7);
  await using killed = await world(`process.kill(process.pid, "SIGUSR2"); ${forever}`, {
    wrapped: true,
    restart: "no",
  });
  await killed.supervisor.renew();
  expect(await killed.supervisor.ended).toBe(128 + 12);
});

test("issue #249: signals are forwarded to the wrapped command", async () => {
  await using run = await world(`process.on("SIGUSR2", () => say("usr2")); say("start"); ${forever}`, {
    wrapped: true,
  });
  await run.supervisor.renew();
  await run.until("start");
  run.supervisor.forward("SIGUSR2");
  await run.until("usr2");
});

test("issue #40: a job is over when it ended well, and is tried again when it failed", async () => {
  const script = `import { existsSync, writeFileSync } from "node:fs"; const mark = process.argv[1] + ".tried";
    say("start"); if (existsSync(mark)) process.exit(0); writeFileSync(mark, ""); process.exit(1);`;
  await using run = await world(script, { wrapped: true, restart: "on-failure" });
  await run.supervisor.renew();
  expect(await run.supervisor.ended).toBe(0);
  expect(await run.words()).toEqual(["start", "start"]);
});

test("a program does not outlive the helper, however that ends", async () => {
  const host = new EventEmitter();
  await using run = await world(
    `process.on("SIGTERM", () => {}); say("start"); ${forever}`,
    { wrapped: true, restart: "no" },
    undefined,
    host,
  );
  await run.supervisor.renew();
  await run.until("start");
  host.emit("exit");
  expect(await run.supervisor.ended).toBe(128 + 9);
  expect(host.listenerCount("exit")).toBe(0);
});

test("a program that is not there: the renewal fails, and a wrapped one ends with 127", async () => {
  const program = "/no/such/program";
  await using run = await world("", { program });
  await expect(run.supervisor.renew()).rejects.toMatchObject({ code: "ERR_HELPER_COMMAND" });
  await using wrapped = await world("", { program, wrapped: true, restart: "no" });
  await expect(wrapped.supervisor.renew()).rejects.toThrow("no such program");
  expect(await wrapped.supervisor.ended).toBe(127);
});
