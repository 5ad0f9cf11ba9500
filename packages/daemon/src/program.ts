import { CommanderError } from "commander";
import type { Command, Output } from "./command.ts";
import { watchBrokenPipe } from "./internal/broken-pipe.ts";
import { createCommander, type Selection } from "./internal/commander.ts";
import { reportUsage } from "./internal/report-error.ts";
import type { SignalEmitter } from "./process-signals.ts";

/** A program: its name, version, and commands, each loaded only when it is run. */
export interface Program {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly commands: readonly CommandEntry[];
}

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

/** What `main.ts` hands over of its process. Tests pass streams, an environment and a signal of their own. */
export interface ProgramHost {
  /** Arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Stops the command as SIGTERM does. */
  readonly signal?: AbortSignal;
  /** The real process: its signals, and the exit that waits for nothing. */
  readonly process?: SignalEmitter & { exit(code: number): void };
}

/**
 * Parses the arguments, resolves the configuration, runs the command and returns the exit code: 0 done, 1 the
 * check failed or a runtime error, 2 bad usage or configuration, 130 or 143 a command that SIGINT or SIGTERM cut off
 * (one that runs until stopped ends with 0 then). Errors are one line on stderr and a `hint:`.
 */
export async function runProgram(program: Program, host: ProgramHost): Promise<number> {
  const broken = watchBrokenPipe(host.stdout);
  // Nobody is left to be told that nobody reads what goes wrong.
  host.stderr.on("error", () => {});
  const argv = host.argv[0] === "help" ? [...host.argv.slice(1), "--help"] : [...host.argv];
  const chosen = argv.find((word) => !word.startsWith("-"));
  const commands = await Promise.all(
    program.commands.map((entry) => (entry.name === chosen ? entry.load() : entry)),
  );
  let selection: Selection | undefined;
  try {
    const commander = createCommander(program, commands, host, (found) => {
      selection = found;
    });
    commander.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return reportUsage(error, [program.name, ...wordsOf(argv, commands)].join(" "), host.stderr);
  }
  if (selection === undefined) return 2;
  // What only a running command needs (schemas, logging) is loaded now, so that listing and help stay fast.
  const { runCommand } = await import("./internal/run-command.ts");
  const signal = host.signal === undefined ? broken : AbortSignal.any([host.signal, broken]);
  const code = await runCommand(program, selection, { ...host, signal });
  return broken.aborted ? 0 : code;
}

/** The leading arguments that name commands: what an error is about. */
function wordsOf(argv: readonly string[], commands: readonly (Command | CommandEntry)[]): readonly string[] {
  const [word, ...rest] = argv;
  const found = commands.find((command) => command.name === word);
  if (found === undefined) return [];
  return [found.name, ...("commands" in found ? wordsOf(rest, found.commands) : [])];
}
