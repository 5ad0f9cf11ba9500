import { type LogLevel, logLevels } from "@newleaf/daemon";
import { HelperError } from "../error.ts";
import { addressFromEnvironment, translateAddress } from "./agent-address.ts";
import { checkConfig, standingWarnings } from "./check-config.ts";
import { splitCommandArguments } from "./cmd-args.ts";
import { decodeChoice, decodeDuration, decodeString, type Given } from "./decode.ts";
import { type FilesConfig, resolveFiles } from "./files-config.ts";
import type { GivenConfig } from "./given-config.ts";
import { decodeHealthChecks, decodeJwtSvids, type HealthChecksConfig, type JwtSvidConfig } from "./parts.ts";
import { type ConfigReader, createReader } from "./reader.ts";
import { decodeReloads, type ReloadConfig } from "./reload-config.ts";
import { decodeSignal } from "./signal-name.ts";

const restartPolicies = ["no", "on-failure", "always"] as const;
type RestartPolicy = (typeof restartPolicies)[number];

/** Everything the helper does, checked and with its defaults. */
export interface HelperConfig {
  /** `unix:///path` or `tcp://IP:port`. */
  readonly agentAddress: string;
  readonly files: FilesConfig;
  readonly jwtSvids: readonly JwtSvidConfig[];
  readonly hint: string;
  readonly command: CommandConfig | undefined;
  readonly pidFile: string | undefined;
  readonly renewSignal: NodeJS.Signals | undefined;
  readonly renewSignalOnJwt: boolean;
  readonly daemonMode: boolean;
  readonly fetchTimeoutMs: number;
  readonly logLevel: LogLevel | undefined;
  readonly healthChecks: HealthChecksConfig | undefined;
  readonly reloads: readonly ReloadConfig[];
  /** What works and is likely not meant, in sentences. */
  readonly warnings: readonly string[];
}

export interface CommandConfig {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly restart: RestartPolicy;
  /** `-- CMD`: its end is ours, and its exit code too. */
  readonly wrapped: boolean;
}

export interface ResolveOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What follows `--`. */
  readonly wrapped?: readonly string[];
}

/** Decodes and checks the configuration as a whole. Throws ERR_HELPER_CONFIG that says what, where and why. */
export function resolveConfig(given: GivenConfig, options: ResolveOptions): HelperConfig {
  const warnings = [...given.warnings];
  const read = createReader(given, (warning) => warnings.push(warning));
  const daemonMode = read.boolean("daemon_mode", true);
  const renewSignal = read.optional("renew_signal", decodeSignal);
  const config: HelperConfig = {
    agentAddress: agentAddress(given.scalars.get("agent_address"), options.env),
    files: resolveFiles(read),
    jwtSvids: decodeJwtSvids(given.blocks.get("jwt_svids") ?? []),
    hint: read.text("hint") ?? "",
    command: resolveCommand(read, options.wrapped ?? []),
    pidFile: read.text("pid_file_name"),
    renewSignal,
    renewSignalOnJwt: read.boolean("renew_signal_on_jwt", false),
    daemonMode,
    fetchTimeoutMs: read.optional("fetch_timeout", decodeDuration) ?? 60_000,
    logLevel: read.optional("log_level", (level) => decodeChoice(level, logLevels)),
    healthChecks: decodeHealthChecks(given.blocks.get("health_checks") ?? [], (warning) =>
      warnings.push(warning),
    ),
    reloads: decodeReloads(given.blocks.get("reload") ?? []),
    warnings,
  };
  checkConfig(config, given);
  warnings.push(...standingWarnings(config));
  return config;
}

function agentAddress(given: Given | undefined, env: ResolveOptions["env"]): string {
  const text = given === undefined ? "" : decodeString(given);
  if (given !== undefined && text !== "") return translateAddress(text, given.where);
  const found = addressFromEnvironment(env);
  return translateAddress(found.text, found.where);
}

function resolveCommand(read: ConfigReader, wrapped: readonly string[]): CommandConfig | undefined {
  const restart = read.optional("restart", (given) => decodeChoice(given, restartPolicies));
  const cmd = read.text("cmd");
  const [program, ...words] = wrapped;
  if (program !== undefined) {
    if (cmd !== undefined)
      throw new HelperError(
        "ERR_HELPER_CONFIG",
        "there is a cmd and a command behind --: only one can be run",
      );
    return { program, arguments: words, restart: restart ?? "no", wrapped: true };
  }
  const listed = read.optional("cmd_args", (given) =>
    splitCommandArguments(decodeString(given), given.where),
  );
  return cmd === undefined
    ? undefined
    : { program: cmd, arguments: listed ?? [], restart: restart ?? "on-failure", wrapped: false };
}
