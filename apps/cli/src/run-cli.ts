import { type Program, type ProgramHost, runProgram } from "@newleaf/daemon/program";
import { completionEntry } from "./completion-command.ts";
import { manifest } from "./manifest.ts";

const version = "0.1.0";

/** The whole program `newleaf`, as `main.ts` and the tests run it; resolves with the exit code. */
export async function runCli(host: ProgramHost): Promise<number> {
  const program: Program = {
    name: "newleaf",
    version,
    description: "Certificate rotation for mTLS workloads that proves it happened.",
    commands: [...manifest, completionEntry(manifest)],
  };
  return runProgram(program, { ...host, argv: await ownArguments(host.argv) });
}

/** `newleaf helper` takes spiffe-helper's arguments, which are written as Go programs have them. */
async function ownArguments([command, ...rest]: readonly string[]): Promise<readonly string[]> {
  if (command !== "helper") return command === undefined ? [] : [command, ...rest];
  const { helperArguments } = await import("@newleaf/helper");
  return [command, ...helperArguments(rest)];
}
