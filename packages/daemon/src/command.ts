import type { z } from "zod";
import type { HostPort } from "./host-port.ts";
import { commonOptions } from "./internal/common-options.ts";
import type { Logger } from "./logger.ts";
import type { Style } from "./style.ts";

/** One option of a command. Its key in the config is its key in `options`; its name is the long flag. */
export interface OptionDefinition {
  /** `--listen <host:port>`, `-o, --out <dir>`, `--json` (a boolean), `--no-tickets` (a boolean, on by default). */
  readonly flag: string;
  readonly description: string;
  /** Parses the text of the value (a boolean for a flag without value, an array of texts when repeatable). */
  readonly schema: z.ZodType;
  /** As written on the command line; goes through the schema and into `--help`. */
  readonly default?: string | boolean | readonly string[];
  /** May be given several times; comma-separated in the environment, a list in the config file. */
  readonly repeatable?: boolean;
  /** One more environment variable, after `NEWLEAF_<COMMAND>_<OPTION>`: for what several commands share. */
  readonly env?: string;
  /** Shown when the value is missing or refused and the schema has no better advice. */
  readonly hint?: string;
}

/** An option whose value is known to be a `T`: the type of options that commands share. */
export type TypedOption<T> = OptionDefinition & { readonly schema: z.ZodType<T> };

/** One positional argument: `<url>`, `[dir]`, `<file...>`. */
export interface ArgumentDefinition {
  readonly placeholder: string;
  readonly description: string;
  readonly schema: z.ZodType;
  readonly default?: string;
}

export type OptionMap = Readonly<Record<string, OptionDefinition>>;
export type ArgumentMap = Readonly<Record<string, ArgumentDefinition>>;

/** The frozen, typed configuration that `run` receives: every option and argument through its schema. */
export type ConfigOf<O extends OptionMap, A extends ArgumentMap> = {
  readonly [K in keyof O]: z.output<O[K]["schema"]>;
} & { readonly [K in keyof A]: z.output<A[K]["schema"]> };

/** A stream of the terminal, or what stands for it. */
export type Output = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly fd?: number;
};

/** What a running command may touch of the outside world. */
export interface CommandContext {
  /** Aborts on the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Colours for stdout; plain text when stdout is no terminal or NO_COLOR is set. */
  readonly style: Style;
  /** Calls back on SIGHUP. */
  onReload(callback: () => void): Disposable;
  /** Of a long-running command; `admin` is undefined when off. */
  readonly daemon: DaemonSettings;
  /** As typed: `newleaf proxy server`. */
  readonly commandName: string;
  readonly version: string;
}

export interface DaemonSettings {
  readonly admin: HostPort | undefined;
  readonly graceMs: number;
  readonly shutdownDelayMs: number;
}

export interface CommandDefinition<O extends OptionMap, A extends ArgumentMap> {
  readonly name: string;
  /** One line for the listing, lower case, no full stop. */
  readonly summary: string;
  /** Paragraphs for `--help`. */
  readonly description?: string;
  readonly examples?: readonly Example[];
  readonly arguments?: A;
  readonly options?: O;
  /**
   * Runs until stopped: gets `--config`, `--admin`, `--grace` and `--shutdown-delay`, and ends with 0 when
   * interrupted. `admin` changes the default of `--admin` from 127.0.0.1:9464, e.g. to `off`.
   */
  readonly longRunning?: boolean | { readonly admin: string };
  /** Gets `--config`, though it ends by itself. */
  readonly configFile?: boolean;
  /** Commands under its word beside itself: `newleaf demo` and `newleaf demo spiffe`. Leave out arguments then. */
  readonly commands?: readonly Command[];
  /** Returns (or resolves to) the exit code: nothing or 0 for done, 1 for a check that failed. */
  run(config: ConfigOf<O, A>, context: CommandContext): Promise<ExitCode> | Promise<void> | ExitCode;
}

/** 0 or 1 of a command's own; any other code is that of a program it ran in its place. */
export type ExitCode = number | undefined;

export interface Example {
  readonly command: string;
  readonly note: string;
}

/** A command as programs register it; its config type is erased. */
export interface LeafCommand {
  readonly kind: "command";
  readonly name: string;
  readonly summary: string;
  readonly description: string | undefined;
  readonly examples: readonly Example[];
  readonly arguments: ArgumentMap;
  readonly options: OptionMap;
  /** `--log-level`, and what long-running commands have beside it. */
  readonly commonOptions: OptionMap;
  readonly longRunning: boolean;
  readonly commands: readonly Command[];
  run(
    config: Readonly<Record<string, unknown>>,
    context: CommandContext,
  ): Promise<ExitCode> | Promise<void> | ExitCode;
}

/** Commands under one word: `newleaf proxy server`, `newleaf proxy client`. */
export interface CommandGroup {
  readonly kind: "group";
  readonly name: string;
  readonly summary: string;
  readonly description: string | undefined;
  readonly commands: readonly Command[];
}

export type Command = LeafCommand | CommandGroup;

const defaultAdmin = "127.0.0.1:9464";

/** Describes one command; the config type of `run` follows from the schemas. */
export function defineCommand<
  O extends OptionMap = Record<never, never>,
  A extends ArgumentMap = Record<never, never>,
>(definition: CommandDefinition<O, A>): LeafCommand {
  const { longRunning = false } = definition;
  return Object.freeze({
    kind: "command" as const,
    name: definition.name,
    summary: definition.summary,
    description: definition.description,
    examples: definition.examples ?? [],
    arguments: definition.arguments ?? {},
    options: definition.options ?? {},
    commonOptions: commonOptions(
      longRunning === false ? undefined : { admin: longRunning === true ? defaultAdmin : longRunning.admin },
      definition.configFile === true,
    ),
    longRunning: longRunning !== false,
    commands: definition.commands ?? [],
    run: (config: Readonly<Record<string, unknown>>, context: CommandContext) =>
      definition.run(config as ConfigOf<O, A>, context),
  });
}

/** Describes a word with subcommands. */
export function defineCommandGroup(definition: {
  name: string;
  summary: string;
  description?: string;
  commands: readonly Command[];
}): CommandGroup {
  return Object.freeze({ kind: "group" as const, description: undefined, ...definition });
}
