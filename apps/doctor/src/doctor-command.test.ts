import { Readable, Writable } from "node:stream";
import type { Output } from "@newleaf/daemon";
import { runProgram } from "@newleaf/daemon/program";
import { expect, test } from "vitest";
import { doctorCommand } from "./doctor-command.ts";

test.each([
  ["the Workload API is no directory", ["--certs", "unix:///run/agent.sock"], /--workload-api/],
  ["nor is it for clients", ["--client-certs", "unix:///run/agent.sock"], /--workload-api/],
  ["keywords are no URL", ["--postgres", "host=db user=app password=secret1"], /postgres:\/\/user@host/],
])("%s: exit code 2, and what to write instead", async (_, argv, said) => {
  const { code, text } = await doctor(argv);
  expect(code).toBe(2);
  expect(text).toMatch(said);
});

async function doctor(argv: readonly string[]): Promise<{ code: number; text: string }> {
  let text = "";
  const output: Output & Writable = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const program = {
    name: "newleaf",
    version: "0",
    description: "",
    commands: [{ ...doctorCommand, load: async () => doctorCommand }],
  };
  const host = {
    argv: ["doctor", ...argv],
    env: {},
    stdin: Readable.from([]),
    stdout: output,
    stderr: output,
  };
  return { code: await runProgram(program, host), text };
}
