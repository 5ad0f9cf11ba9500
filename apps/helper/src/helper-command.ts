import {
  type CommandContext,
  createLogger,
  defineCommand,
  type ExitCode,
  type LeafCommand,
  type Logger,
  logLevels,
  type OptionDefinition,
  readBounded,
  z,
} from "@newleaf/daemon";
import type { HelperConfig } from "./config/config.ts";
import type { Overrides } from "./config/given-config.ts";
import { blockKeys, type KeyDefinition, scalarKeys } from "./config/keys.ts";
import { HelperError } from "./error.ts";
import { goArguments } from "./go-arguments.ts";
import { parseHcl } from "./hcl/parse.ts";

const DEFAULT_FILE = "helper.conf";
const logLevel: OptionDefinition = {
  flag: "--log-level <level>",
  description: scalarKeys.log_level.description,
  schema: z.enum(logLevels).optional(),
  env: "NEWLEAF_LOG_LEVEL",
};

/** What Go takes for a boolean; a flag that is none ends with 2. */
const goBoolean = z
  .string()
  .regex(/^(?:1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)$/, "expected true or false")
  .transform((text) => (/^[1tT]/.test(text) ? "true" : "false"))
  .optional();

const command = defineCommand({
  name: "helper",
  summary: "keep SPIFFE credentials on disk current, reload what reads them, and prove that they are served",
  description:
    "A drop-in for spiffe-helper: takes its flags, with one dash or two, and its configuration file. Files are " +
    "replaced together, reload blocks tell any number of processes, and a handshake shows whether they serve the new " +
    "certificate. What follows -- is run as a command: it starts with the first identity, gets our signals, and its " +
    "exit code is ours.",
  examples: [
    { command: "newleaf helper -config /etc/helper.conf", note: "as spiffe-helper is started" },
    {
      command: "newleaf helper -config helper.conf -daemon-mode=false",
      note: "fetch once and end, for init containers",
    },
    {
      command: "newleaf helper -config helper.conf -- envoy -c /etc/envoy.yaml",
      note: "as the parent of what uses them",
    },
  ],
  // spiffe-helper opens no port, and two of them share a Pod.
  longRunning: { admin: "off" },
  arguments: {
    command: {
      placeholder: "[command...]",
      description: "a program to run, with its arguments",
      schema: z.array(z.string()).default([]),
    },
  },
  options: {
    file: {
      flag: "--config <file>",
      description: `HCL or JSON, as for spiffe-helper (default: ${DEFAULT_FILE})`,
      schema: z.string().min(1).optional(),
    },
    ...keyOptions(),
    version: { flag: "--version", description: "print the version", schema: z.boolean(), default: false },
  },
  run: async (config, context) => run(config, context),
});

// The file is HCL and ours alone, and the level may come from it: both replace what other commands have.
const { config: _config, logLevel: _logLevel, ...commonOptions } = command.commonOptions;

/** `newleaf helper`. */
export const helperCommand: LeafCommand = Object.freeze({ ...command, commonOptions });

/** The arguments of `newleaf helper`, as Go reads them, in the form that the command line takes. */
export function helperArguments(argv: readonly string[]): readonly string[] {
  const options = [...Object.values(helperCommand.options), ...Object.values(helperCommand.commonOptions)];
  const switches = options.filter(({ flag }) => !flag.includes("<") || flag.startsWith("--daemon-mode"));
  return goArguments(argv, (name) => switches.some(({ flag }) => flag.split(" ")[0] === `--${name}`));
}

/** A flag, and with it a variable, for every key of the file; checked together with the file. */
function keyOptions(): Readonly<Record<string, OptionDefinition>> {
  const keys: Readonly<Record<string, KeyDefinition>> = { ...scalarKeys, ...blockKeys };
  return Object.fromEntries(
    Object.entries(keys).map(([key, { value, description }]) => {
      const flag = `--${key.replaceAll("_", "-")} <${value}>`;
      const schema = key === "daemon_mode" ? goBoolean : z.string().optional();
      return [key, key === "log_level" ? logLevel : { flag, description, schema }];
    }),
  );
}

async function run(values: Readonly<Record<string, unknown>>, context: CommandContext): Promise<ExitCode> {
  const { version, ...given } = values;
  if (version === true) {
    context.stdout.write(`${context.version}\n`);
    return 0;
  }
  const config = await loadConfig(given, context);
  const logger = await loggerFor(config, context);
  for (const warning of config.warnings) logger.warn({ warning }, "configuration");
  // What only a running helper needs (gRPC above all) is loaded now, so that help and completion stay fast.
  if (!config.daemonMode) {
    const { runOnce } = await import("./run/one-shot.ts");
    await runOnce(config, logger, context.signal);
    return 0;
  }
  const { runHelper } = await import("./run/run-helper.ts");
  return runHelper(config, context, logger);
}

async function loadConfig(
  values: Readonly<Record<string, unknown>>,
  { env }: CommandContext,
): Promise<HelperConfig> {
  const { file, command: wrapped, ...rest } = values;
  const overrides: Overrides = Object.fromEntries(
    Object.entries(rest).filter(([, value]) => value !== undefined),
  );
  const path = typeof file === "string" ? file : DEFAULT_FILE;
  const text = await readConfigFile(path, typeof file === "string" || Object.keys(overrides).length === 0);
  const [{ resolveConfig }, { collectConfig }] = await Promise.all([
    import("./config/config.ts"),
    import("./config/given-config.ts"),
  ]);
  return resolveConfig(collectConfig(path, parseHcl(text, path), overrides), {
    env,
    wrapped: Array.isArray(wrapped) ? wrapped : [],
  });
}

/** Without a file that must be there, everything may come from the environment. */
async function readConfigFile(path: string, required: boolean): Promise<string> {
  try {
    const bytes = await readBounded(path);
    if (bytes === undefined) throw new HelperError("ERR_HELPER_CONFIG", `${path} is larger than 1 MiB`);
    return bytes.toString("utf8");
  } catch (error) {
    if (error instanceof HelperError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" && !required) return "";
    throw new HelperError("ERR_HELPER_CONFIG", `cannot read ${path}: ${code ?? String(error)}`, {
      cause: error,
      hint: "name the file with -config, or give every value by NEWLEAF_HELPER_* variables",
    });
  }
}

async function loggerFor({ logLevel }: HelperConfig, { logger, stderr }: CommandContext): Promise<Logger> {
  return logLevel === undefined || logLevel === "info"
    ? logger
    : createLogger({ stream: stderr, level: logLevel });
}
