import { Readable, Writable } from "node:stream";
import type { Output } from "@newleaf/daemon";
import { type ProgramHost, runProgram } from "@newleaf/daemon/program";
import { commands, helperArguments } from "../src/index.ts";

export interface Running {
  readonly code: Promise<number>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The lines of the log, parsed. */
  readonly log: () => readonly LogLine[];
}

interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** `newleaf helper <argv>` in this process, arguments in Go's form. */
export function start(argv: readonly string[], host: Partial<ProgramHost> = {}): Running {
  const [stdout, stderr] = [createOutput(), createOutput()];
  const program = {
    name: "newleaf",
    version: "0.0.0",
    description: "",
    commands: commands.map((command) => ({ ...command, load: async () => command })),
  };
  const code = runProgram(program, {
    argv: ["helper", ...helperArguments(argv)],
    env: {},
    stdin: Readable.from([]),
    stdout,
    stderr,
    ...host,
  });
  const log = () =>
    stderr
      .text()
      .split("\n")
      .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as LogLine] : []));
  return { code, stdout: stdout.text, stderr: stderr.text, log };
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
