import { EventEmitter } from "node:events";
import { Readable, Writable } from "node:stream";
import { runProgram } from "@newleaf/daemon/program";
import { expect, test } from "vitest";
import { demoCommand } from "../src/demo-command.ts";

test("interrupted, the demo shows the table so far, finds nothing amiss, and ends with 130", async () => {
  const texts = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof texts): Writable =>
    new Writable({
      write(chunk, _encoding, done) {
        texts[name] += String(chunk);
        done();
      },
    });
  const emitter = Object.assign(new EventEmitter(), { exit: () => expect.unreachable() });
  const running = runProgram(
    {
      name: "newleaf",
      version: "test",
      description: "",
      commands: [{ ...demoCommand, load: async () => demoCommand }],
    },
    {
      argv: ["demo", "--duration", "10s", "--rotate-every", "500ms"],
      env: {},
      stdin: Readable.from([]),
      stdout: sink("stdout"),
      stderr: sink("stderr"),
      process: emitter,
    },
  );
  // In the middle of the rogue's tries.
  await expect.poll(() => texts.stderr, { timeout: 30_000 }).toContain("the rogue tries every way in");
  emitter.emit("SIGINT");
  expect(await running).toBe(130);
  expect(texts.stdout).toMatch(/^\nInterrupted; the result so far\nrotations +\d+, each proved/);
  expect(texts.stdout).not.toContain("problem");
  expect(texts.stderr).toMatch(/newleaf demo: interrupted by SIGINT\n$/);
}, 60_000);
