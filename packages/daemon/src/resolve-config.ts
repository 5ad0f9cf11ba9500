import type { z } from "zod";
import type { ArgumentDefinition, ArgumentMap, OptionDefinition, OptionMap } from "./command.ts";
import type { ConfigFile } from "./config-file.ts";
import { describeRefusal } from "./internal/refused-value.ts";
import { suggest } from "./suggest.ts";

/** Why a configuration was refused: one line that names option and source, and advice when there is some. */
export interface ConfigProblem {
  readonly message: string;
  readonly hint: string | undefined;
}

export type Resolution =
  | { readonly ok: true; readonly config: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

export interface ConfigSources {
  /** Values given on the command line, by option key. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: ConfigFile | undefined;
  /** Environment prefixes in order of preference: `NEWLEAF_PROXY_SERVER`, and for common options `NEWLEAF`. */
  readonly envPrefixes: readonly string[];
}

interface Found {
  readonly raw: unknown;
  readonly source: string;
}

/** Resolves every option: flag, else environment, else file, else default; then through its schema. */
export function resolveOptions(options: OptionMap, sources: ConfigSources): Resolution {
  const config: Record<string, unknown> = {};
  const problems: ConfigProblem[] = [];
  for (const [key, option] of Object.entries(options)) {
    const found = findValue(key, option, sources);
    const parsed = option.schema.safeParse(found?.raw);
    if (parsed.success) config[key] = deepFreeze(parsed.data);
    else if (found === undefined) problems.push(missingOption(option, sources));
    else problems.push(refused(option, found, parsed.error));
  }
  return problems.length === 0 ? { ok: true, config: Object.freeze(config) } : { ok: false, problems };
}

/** Resolves positional arguments, which have no source but the command line. */
export function resolveArguments(definitions: ArgumentMap, values: readonly unknown[]): Resolution {
  const config: Record<string, unknown> = {};
  const problems: ConfigProblem[] = [];
  Object.entries(definitions).forEach(([key, argument], index) => {
    const raw = values[index] ?? argument.default;
    const parsed = argument.schema.safeParse(raw);
    if (parsed.success) config[key] = deepFreeze(parsed.data);
    else problems.push(refusedArgument(argument, raw, parsed.error));
  });
  return problems.length === 0 ? { ok: true, config: Object.freeze(config) } : { ok: false, problems };
}

/** Problems with keys of a config file that no option has. */
export function unknownKeys(file: ConfigFile, options: OptionMap): readonly ConfigProblem[] {
  const known = Object.values(options).map(optionName);
  return [...file.entries].flatMap(([name, entry]) => {
    if (known.includes(name) && name !== "config") return [];
    const near = suggest(name, known);
    const hint = near === undefined ? `known options: ${known.join(", ")}` : `did you mean ${near}?`;
    return [{ message: `unknown option ${name} (from ${entry.place})`, hint }];
  });
}

/** The long name of an option: `listen` of `-l, --listen <host:port>`, `tickets` of `--no-tickets`. */
function optionName(option: OptionDefinition): string {
  return /--(?:no-)?([a-z0-9-]+)/.exec(option.flag)?.[1] ?? option.flag;
}

/** Whether the flag takes no value. */
function isBoolean(option: OptionDefinition): boolean {
  return !/[<[]/.test(option.flag);
}

export function envName(prefix: string, option: OptionDefinition): string {
  return `${prefix}_${optionName(option).toUpperCase().replaceAll("-", "_")}`;
}

function findValue(key: string, option: OptionDefinition, sources: ConfigSources): Found | undefined {
  const flag = sources.flags[key];
  if (flag !== undefined) return { raw: flag, source: "the command line" };
  const shared = option.env === undefined ? [] : [option.env];
  for (const name of [...sources.envPrefixes.map((prefix) => envName(prefix, option)), ...shared]) {
    const text = sources.env[name];
    // An empty variable is how manifests say "not set".
    if (text !== undefined && text !== "") return { raw: fromText(option, text), source: name };
  }
  const entry = sources.file?.entries.get(optionName(option));
  if (entry?.value !== undefined) return { raw: fromFile(option, entry.value), source: entry.place };
  return option.default === undefined ? undefined : { raw: option.default, source: "the default" };
}

function fromText(option: OptionDefinition, text: string): unknown {
  if (option.repeatable === true) return text.split(",").map((part) => part.trim());
  return isBoolean(option) ? booleanFrom(text) : text;
}

function fromFile(option: OptionDefinition, value: unknown): unknown {
  if (option.repeatable === true) return Array.isArray(value) ? value.map(String) : [String(value)];
  if (Array.isArray(value)) return value;
  return isBoolean(option) ? booleanFrom(value) : String(value);
}

function booleanFrom(value: unknown): unknown {
  if (value === true || /^(1|true|yes|on)$/i.test(String(value))) return true;
  if (value === false || /^(0|false|no|off)$/i.test(String(value))) return false;
  return value;
}

function missingOption(option: OptionDefinition, sources: ConfigSources): ConfigProblem {
  const [prefix = ""] = sources.envPrefixes;
  const where = `give ${option.flag} or set ${envName(prefix, option)}`;
  return { message: `--${optionName(option)} is required`, hint: option.hint ?? where };
}

function refused(option: OptionDefinition, found: Found, error: z.ZodError): ConfigProblem {
  const { shown, problem, hint } = describeRefusal(found.raw, error);
  const value = shown === undefined ? "" : ` ${shown}`;
  return {
    message: `--${optionName(option)}${value} (from ${found.source}): ${problem}`,
    hint: hint ?? option.hint ?? `${option.flag}: ${option.description}`,
  };
}

function refusedArgument(argument: ArgumentDefinition, raw: unknown, error: z.ZodError): ConfigProblem {
  const name = argument.placeholder.replaceAll(/[<>[\].]/g, "");
  if (raw === undefined || (Array.isArray(raw) && raw.length === 0)) {
    return { message: `${name} is required`, hint: argument.description };
  }
  const { shown, problem, hint } = describeRefusal(raw, error);
  const value = shown === undefined ? "" : ` ${shown}`;
  return {
    message: `${name}${value}: ${problem}`,
    hint: hint ?? `${argument.placeholder}: ${argument.description}`,
  };
}

function deepFreeze<T>(value: T): T {
  if (Array.isArray(value)) value.forEach(deepFreeze);
  const plain =
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return plain || Array.isArray(value) ? Object.freeze(value) : value;
}
