import { Readable, Writable } from "node:stream";
import type { Output } from "@newleaf/daemon";
import { type ProgramHost, runProgram } from "@newleaf/daemon/program";
import { commands } from "../src/index.ts";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `newleaf <argv>` in this process, with the commands of this app only. */
export async function newleaf(argv: readonly string[], host: Partial<ProgramHost> = {}): Promise<Finished> {
  const stdout = createOutput();
  const stderr = createOutput();
  const entries = commands.map((command) => ({ ...command, load: async () => command }));
  const program = { name: "newleaf", version: "0.0.0", description: "test", commands: entries };
  const code = await runProgram(program, {
    argv,
    env: {},
    stdin: Readable.from([]),
    stdout,
    stderr,
    ...host,
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function createOutput(): Output & { text(): string } {
  let text = "";
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return Object.assign(stream, { text: () => text });
}
