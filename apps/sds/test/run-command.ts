import { Readable, Writable } from "node:stream";
import type { Output } from "@newleaf/daemon";
import { type ProgramHost, runProgram } from "@newleaf/daemon/program";
import { commands } from "../src/index.ts";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `newleaf <argv>` in this process, with the commands of this program alone. */
export async function run(argv: readonly string[], host: Partial<ProgramHost> = {}): Promise<Finished> {
  const [stdout, stderr] = [createOutput(), createOutput()];
  const program = {
    name: "newleaf",
    version: "0",
    description: "",
    commands: commands.map((command) => ({ ...command, load: async () => command })),
  };
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

export function createOutput(): Output & { text(): string } {
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
