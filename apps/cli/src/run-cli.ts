import { type Program, type ProgramHost, runProgram } from "@newleaf/daemon/program";
import { completionEntry } from "./completion-command.ts";
import { manifest } from "./manifest.ts";

const version = "0.1.0";

/** The whole program `newleaf`, as `main.ts` and the tests run it; resolves with the exit code. */
export function runCli(host: ProgramHost): Promise<number> {
  const program: Program = {
    name: "newleaf",
    version,
    description: "Certificate rotation for mTLS workloads that proves it happened.",
    commands: [...manifest, completionEntry(manifest)],
  };
  return runProgram(program, host);
}
