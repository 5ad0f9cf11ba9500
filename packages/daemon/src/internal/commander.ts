import { Command as Commander, Option } from "commander";
import type { ArgumentDefinition, Command, LeafCommand, OptionDefinition } from "../command.ts";
import type { CommandEntry, Program, ProgramHost } from "../program.ts";
import { createStyle, wantsColor } from "../style.ts";
import { suggest } from "../suggest.ts";

/** What the arguments select: a command, the flags given (by option key) and the positional values. */
export interface Selection {
  readonly command: LeafCommand;
  /** Names below the program: `["proxy", "server"]`. */
  readonly path: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
  readonly values: readonly unknown[];
}

/**
 * Builds the parser. Entries that are not loaded appear in the listing only. The parser throws CommanderError
 * instead of exiting, and calls `select` instead of running anything.
 */
export function createCommander(
  program: Program,
  commands: readonly (Command | CommandEntry)[],
  host: ProgramHost,
  select: (selection: Selection) => void,
): Commander {
  const root = new Commander(program.name)
    .description(program.description)
    .version(program.version, "-V, --version");
  configure(root, host);
  root.addHelpText("after", `\nRun \`${program.name} <command> --help\` for its options and examples.`);
  for (const command of commands) root.addCommand(build(command, [], host, select));
  return root;
}

function build(
  command: Command | CommandEntry,
  parents: readonly string[],
  host: ProgramHost,
  select: (selection: Selection) => void,
): Commander {
  const path = [...parents, command.name];
  const node = new Commander(command.name).summary(command.summary);
  configure(node, host);
  if ("load" in command) return node.description(command.summary);
  node.description(command.description ?? command.summary);
  if (command.kind === "group") {
    for (const child of command.commands) node.addCommand(build(child, path, host, select));
    return node;
  }
  for (const child of command.commands) node.addCommand(build(child, path, host, select));
  return buildLeaf(node, command, path, select);
}

function buildLeaf(
  node: Commander,
  command: LeafCommand,
  path: readonly string[],
  select: (selection: Selection) => void,
): Commander {
  const attributes = new Map<string, string>();
  const add = (key: string, definition: OptionDefinition, common: boolean) => {
    const option = buildOption(definition);
    if (common) option.helpGroup("Common options:");
    attributes.set(key, option.attributeName());
    node.addOption(option);
  };
  for (const argument of Object.values(command.arguments)) {
    node.argument(argument.placeholder, describe(argument));
  }
  for (const [key, definition] of Object.entries(command.options)) add(key, definition, false);
  for (const [key, definition] of Object.entries(command.commonOptions)) add(key, definition, true);
  node.addHelpOption(new Option("-h, --help", "show this help").helpGroup("Common options:"));
  node.addHelpText("after", footer(command, path));
  // What is in excess may be a mistyped command, which is worth a better answer.
  if (command.commands.length > 0) node.allowExcessArguments();
  return node.action((...received: unknown[]) => {
    const values = received.slice(0, Object.keys(command.arguments).length);
    refuseMisplaced(node, command, node.args.slice(values.length));
    const given = [...attributes].filter(([, attribute]) => node.getOptionValueSource(attribute) === "cli");
    const flags = Object.fromEntries(given.map(([key, attribute]) => [key, node.getOptionValue(attribute)]));
    select({ command, path, flags, values });
  });
}

/** What would be left out without a word: options before a command's own word, words that are no command. */
function refuseMisplaced(node: Commander, { name, commands }: LeafCommand, [extra]: readonly string[]): void {
  const { parent } = node;
  const early = parent?.options.find((each) => parent.getOptionValueSource(each.attributeName()) === "cli");
  if (early !== undefined) node.error(`option '${early.long}' belongs after '${name}'`);
  if (commands.length === 0 || extra === undefined) return;
  const words = commands.map((command) => command.name);
  const near = suggest(extra, words);
  node.error(`unknown command '${extra}'${near === undefined ? "" : `\n(Did you mean ${near}?)`}`);
}

function buildOption(definition: OptionDefinition): Option {
  const option = new Option(definition.flag, describe(definition));
  if (definition.repeatable === true) {
    option.argParser((value, previous: readonly string[] | undefined) => [...(previous ?? []), value]);
  }
  return option;
}

function describe(definition: OptionDefinition | ArgumentDefinition): string {
  const value = definition.default;
  const more = "repeatable" in definition && definition.repeatable === true ? " (may be repeated)" : "";
  const shown = Array.isArray(value) ? value.join(",") : value;
  const isWorthShowing = shown !== undefined && shown !== "" && typeof shown !== "boolean";
  return definition.description + more + (isWorthShowing ? ` (default: ${shown})` : "");
}

function footer(command: LeafCommand, path: readonly string[]): string {
  const prefix = `NEWLEAF_${path.join("_").toUpperCase().replaceAll("-", "_")}_`;
  const config = command.longRunning && "config" in command.commonOptions ? ", or in --config file.yaml" : "";
  const sources = `\nEvery option can also be set as ${prefix}<OPTION> in the environment${config}.`;
  const examples = command.examples.flatMap(({ note, command: line }) => [`  # ${note}`, `  ${line}`, ""]);
  return [sources, ...(examples.length === 0 ? [] : ["", "Examples:", ...examples.slice(0, -1)])].join("\n");
}

function configure(node: Commander, host: ProgramHost): void {
  const { bold } = createStyle(wantsColor(host.stdout, host.env));
  node
    .exitOverride()
    // Else a command would take the options behind the word of one below it, where both have them.
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .helpCommand(false)
    .configureHelp({ sortSubcommands: false, styleTitle: bold, subcommandTerm: (child) => child.name() })
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      outputError: () => {},
      getOutHelpWidth: () => host.stdout.columns ?? 100,
      getErrHelpWidth: () => host.stderr.columns ?? 100,
      getOutHasColors: () => wantsColor(host.stdout, host.env),
      getErrHasColors: () => wantsColor(host.stderr, host.env),
    });
}
