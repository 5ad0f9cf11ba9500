import { EventEmitter } from "node:events";
import type { CommandContext, LeafCommand } from "../command.ts";
import { loadConfigFile } from "../config-file.ts";
import { DaemonError } from "../error.ts";
import type { HostPort } from "../host-port.ts";
import { createLogger, type LogLevel, type RootLogger } from "../logger.ts";
import { handleProcessSignals, type ProcessSignals } from "../process-signals.ts";
import type { Program, ProgramHost } from "../program.ts";
import {
  type ConfigProblem,
  envName,
  resolveArguments,
  resolveOptions,
  unknownKeys,
} from "../resolve-config.ts";
import { createStyle, wantsColor } from "../style.ts";
import { suggest } from "../suggest.ts";
import type { Selection } from "./commander.ts";
import { hintOf, writeProblem } from "./report-error.ts";

/** Resolves the configuration of the selected command, runs it, and returns the exit code. */
export async function runCommand(program: Program, selection: Selection, host: ProgramHost): Promise<number> {
  const name = [program.name, ...selection.path].join(" ");
  const resolved = await resolve(program, selection, host).catch((error: unknown) => ({
    ok: false as const,
    problems: [{ message: error instanceof Error ? error.message : String(error), hint: hintOf(error) }],
  }));
  if (!resolved.ok) {
    for (const { message, hint } of resolved.problems) writeProblem(host.stderr, name, message, hint);
    return 2;
  }
  const common = commonConfig(resolved.common);
  const logger = await createLogger({
    stream: host.stderr,
    level: common.logLevel,
    colors: wantsColor(host.stderr, host.env),
  });
  warnOfUnknownVariables(program, selection, host, logger);
  using signals = handleProcessSignals({
    emitter: host.process ?? new EventEmitter(),
    exit: (code) => host.process?.exit(code),
    say(line) {
      if (selection.command.longRunning && host.stderr.isTTY !== true) logger.warn({}, line);
      else host.stderr.write(`${name}: ${line}\n`);
    },
    graceMs: common.graceMs + 1_000,
  });
  const context = createContext(program, name, host, logger, signals, common);
  const end = (error: unknown) =>
    endOf(error, { context, command: selection.command, level: common.logLevel, signals });
  using _crash = onCrash(host, logger, end);
  try {
    return (await selection.command.run(resolved.own, context)) ?? 0;
  } catch (error) {
    return end(error);
  } finally {
    logger.flush();
  }
}

interface CommonConfig {
  readonly logLevel: LogLevel;
  readonly admin: HostPort | undefined;
  readonly graceMs: number;
  readonly shutdownDelayMs: number;
}

/** A command that does not serve has five seconds to end after a signal. */
const shortGraceMs = 5_000;

type Resolved =
  | { readonly ok: true; readonly own: ConfigValues; readonly common: ConfigValues }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

type ConfigValues = Readonly<Record<string, unknown>>;

async function resolve(program: Program, selection: Selection, host: ProgramHost): Promise<Resolved> {
  const { command, flags } = selection;
  const prefix = envPrefix(program, selection.path);
  const own = { env: host.env, envPrefixes: [prefix], flags };
  const shared = { env: host.env, envPrefixes: [prefix, envPrefix(program, [])], flags };
  const { config: configOption, ...commonOptions } = command.commonOptions;
  const located = resolveOptions(configOption === undefined ? {} : { config: configOption }, {
    ...shared,
    file: undefined,
  });
  if (!located.ok) return located;
  const path = located.config.config;
  const file = typeof path === "string" ? await loadConfigFile(path) : undefined;
  const unknown = file === undefined ? [] : unknownKeys(file, { ...command.options, ...commonOptions });
  const parts = {
    arguments: resolveArguments(command.arguments, selection.values),
    options: resolveOptions(command.options, { ...own, file }),
    common: resolveOptions(commonOptions, { ...shared, file }),
  };
  if (parts.arguments.ok && parts.options.ok && parts.common.ok && unknown.length === 0) {
    const values = Object.freeze({ ...parts.arguments.config, ...parts.options.config });
    return { ok: true, own: values, common: parts.common.config };
  }
  const refused = Object.values(parts).flatMap((part) => (part.ok ? [] : part.problems));
  return { ok: false, problems: [...refused, ...unknown] };
}

function envPrefix(program: Program, path: readonly string[]): string {
  return [program.name, ...path].join("_").toUpperCase().replaceAll("-", "_");
}

function commonConfig(config: ConfigValues): CommonConfig {
  const { logLevel, admin, grace = shortGraceMs, shutdownDelay = 0 } = config;
  return {
    logLevel: logLevel as LogLevel,
    admin: admin as HostPort | undefined,
    graceMs: grace as number,
    shutdownDelayMs: shutdownDelay as number,
  };
}

function createContext(
  program: Program,
  commandName: string,
  host: ProgramHost,
  logger: RootLogger,
  signals: ProcessSignals,
  { admin, graceMs, shutdownDelayMs }: CommonConfig,
): CommandContext {
  return Object.freeze({
    signal: host.signal === undefined ? signals.signal : AbortSignal.any([host.signal, signals.signal]),
    logger,
    stdin: host.stdin,
    stdout: host.stdout,
    stderr: host.stderr,
    env: host.env,
    style: createStyle(wantsColor(host.stdout, host.env)),
    onReload: (callback: () => void) => signals.onReload(callback),
    daemon: Object.freeze({ admin, graceMs, shutdownDelayMs }),
    commandName,
    version: program.version,
  });
}

/** What an error means for the exit code, and what is said about it. */
function endOf(
  error: unknown,
  run: { context: CommandContext; command: LeafCommand; level: LogLevel; signals: ProcessSignals },
): number {
  const { context, command, level, signals } = run;
  const interrupted = context.signal.aborted && isInterruption(error, context.signal);
  if (interrupted && command.longRunning) return 0;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const stack = level === "debug" && error instanceof Error ? error.stack : undefined;
  const misused = error instanceof DaemonError && /USAGE|CONFIG/.test(error.code);
  if (command.longRunning && !misused && context.stderr.isTTY !== true) {
    context.logger.error({ error: message, code, hint: hintOf(error), stack }, "stopped by an error");
  } else {
    writeProblem(context.stderr, context.commandName, message, interrupted ? undefined : hintOf(error));
    if (stack !== undefined) context.stderr.write(`${stack}\n`);
  }
  return misused ? 2 : ((interrupted ? signals.exitCode : undefined) ?? 1);
}

/** What a library throws when it is aborted: the reason itself, an AbortError, or an error caused by either. */
function isInterruption(error: unknown, signal: AbortSignal): boolean {
  if (error === signal.reason) return true;
  if (!(error instanceof Error)) return false;
  return error.name === "AbortError" || (error.cause !== undefined && isInterruption(error.cause, signal));
}

/** An exception nobody caught is a bug: say what it was and end, rather than serve on in an unknown state. */
function onCrash(host: ProgramHost, logger: RootLogger, end: (error: unknown) => number): Disposable {
  const listener = (error: unknown) => {
    const code = end(error);
    logger.flush();
    host.process?.exit(code === 0 ? 1 : code);
  };
  host.process?.on("uncaughtException", listener);
  return { [Symbol.dispose]: () => void host.process?.off("uncaughtException", listener) };
}

function warnOfUnknownVariables(
  program: Program,
  selection: Selection,
  host: ProgramHost,
  logger: RootLogger,
): void {
  const prefix = envPrefix(program, selection.path);
  const options = [
    ...Object.values(selection.command.options),
    ...Object.values(selection.command.commonOptions),
  ];
  const known = options.map((option) => envName(prefix, option));
  const others = selection.command.commands.map(({ name }) => envPrefix(program, [...selection.path, name]));
  for (const variable of Object.keys(host.env)) {
    if (!variable.startsWith(`${prefix}_`) || known.includes(variable) || serviceLink.test(variable))
      continue;
    if (others.some((other) => variable.startsWith(`${other}_`))) continue;
    const near = suggest(variable, known);
    logger.warn(
      { variable, ...(near === undefined ? {} : { near }) },
      "unknown environment variable ignored",
    );
  }
}

/** What Kubernetes puts into every pod for a Service that happens to carry this program's name. */
const serviceLink =
  /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;
