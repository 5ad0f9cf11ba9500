import { Readable, Writable } from "node:stream";
import type { Output } from "@newleaf/daemon";
import type { ProgramHost } from "@newleaf/daemon/program";
import { runCli } from "../src/run-cli.ts";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The whole of `newleaf <argv>` in this process. */
export async function run(argv: readonly string[], host: Partial<ProgramHost> = {}): Promise<Finished> {
  const [stdout, stderr] = [createOutput(), createOutput()];
  const code = await runCli({ argv, env: {}, stdin: Readable.from([]), stdout, stderr, ...host });
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
