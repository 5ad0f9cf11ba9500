import { Readable, Writable } from "node:stream";
import type { Output } from "@newleaf/daemon";
import { runProgram } from "@newleaf/daemon/program";
import { type DiagnosisCode, doctorCommand } from "../src/index.ts";

export interface Answered {
  readonly code: number;
  readonly text: string;
}

/** Runs `newleaf doctor <argv>` in this process. */
export async function runDoctor(argv: readonly string[]): Promise<Answered> {
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

export interface ReportJson {
  readonly ok: boolean;
  readonly targets: readonly { readonly target: string; readonly verdict: DiagnosisCode }[];
  readonly diagnoses: readonly {
    readonly code: DiagnosisCode;
    readonly severity: "wrong" | "note";
    readonly message: string;
    readonly remedy?: string;
    readonly command?: string;
  }[];
}
