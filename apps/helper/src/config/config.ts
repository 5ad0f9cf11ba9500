import { type LogLevel, logLevels } from "@newleaf/daemon";
import { invalid } from "../config-error.ts";
import { HelperError } from "../error.ts";
import { addressFromEnvironment, translateAddress } from "./agent-address.ts";
import { splitCommandArguments } from "./cmd-args.ts";
import {
  decodeBoolean,
  decodeChoice,
  decodeDuration,
  decodeInteger,
  decodeString,
  type Given,
} from "./decode.ts";
import type { GivenConfig } from "./given-config.ts";
import type { ScalarKey } from "./keys.ts";
import { decodeHealthChecks, decodeJwtSvids, type HealthChecksConfig, type JwtSvidConfig } from "./parts.ts";
import { decodeReloads, type ReloadConfig } from "./reload-config.ts";
import { decodeSignal } from "./signal-name.ts";

export const restartPolicies = ["no", "on-failure", "always"] as const;
export type RestartPolicy = (typeof restartPolicies)[number];

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

export interface FilesConfig {
  readonly directory: string;
  readonly publish: "directory" | "files";
  /** All three or none. */
  readonly svid: { readonly certificates: string; readonly key: string; readonly bundle: string } | undefined;
  /** Key and certificates together. */
  readonly credential: string | undefined;
  /** Holds `{trust_domain}`. */
  readonly trustDomainBundle: string | undefined;
  readonly jwtBundle: string | undefined;
  readonly modes: {
    readonly cert: number;
    readonly key: number;
    readonly jwtBundle: number;
    readonly jwtSvid: number;
  };
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly addIntermediatesToBundle: boolean;
  readonly includeFederatedDomains: boolean;
  readonly omitExpired: boolean;
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
  check(config, given);
  warnings.push(...standingWarnings(config));
  return config;
}

/** A key's value, or undefined when it was not given or is empty: spiffe-helper cannot tell these apart. */
function createReader(given: GivenConfig, warn: (warning: string) => void) {
  const optional = <T>(key: ScalarKey, decode: (given: Given) => T): T | undefined => {
    const found = given.scalars.get(key);
    if (found === undefined || (found.value.kind === "string" && found.value.text === "")) return undefined;
    return decode(found);
  };
  return {
    optional,
    text: (key: ScalarKey): string | undefined => optional(key, decodeString),
    boolean: (key: ScalarKey, fallback: boolean): boolean => optional(key, decodeBoolean) ?? fallback,
    mode: (key: ScalarKey, fallback: number): number =>
      optional(key, (found) => decodeMode(found, warn)) || fallback,
  };
}

type Reader = ReturnType<typeof createReader>;

function decodeMode(given: Given, warn: (warning: string) => void): number {
  const mode = decodeInteger(given);
  if (mode < 0) throw invalid(given.where, `${given.key} must be positive`);
  if (mode > 0o7777)
    throw invalid(given.where, `${given.key} ${mode} is no file mode`, "write it in octal, as in 0644");
  const text = decodeString(given);
  if (/^[1-7][0-7]{2}$/.test(text)) {
    warn(
      `${given.where}: ${given.key} ${text} is decimal, which is 0${mode.toString(8)} in octal; 0${text} may be meant`,
    );
  }
  if (given.key === "key_file_mode" && (mode & 0o007) !== 0) {
    warn(
      `${given.where}: key_file_mode 0${mode.toString(8)} lets every user of this machine use the private key`,
    );
  }
  return mode;
}

function agentAddress(given: Given | undefined, env: ResolveOptions["env"]): string {
  const text = given === undefined ? "" : decodeString(given);
  if (given !== undefined && text !== "") return translateAddress(text, given.where);
  const found = addressFromEnvironment(env);
  return translateAddress(found.text, found.where);
}

function resolveFiles(read: Reader): FilesConfig {
  const delivery = read.optional("layout", (given) => decodeChoice(given, ["filesystem-delivery"] as const));
  const names = (["svid_file_name", "svid_key_file_name", "svid_bundle_file_name"] as const).map((key) =>
    read.text(key),
  );
  const [certificates, key, bundle] = names;
  const all = certificates !== undefined && key !== undefined && bundle !== undefined;
  if (!all && names.some((name) => name !== undefined)) {
    throw new HelperError(
      "ERR_HELPER_CONFIG",
      "all or none of svid_file_name, svid_key_file_name and svid_bundle_file_name must be given",
    );
  }
  return {
    directory: read.text("cert_dir") ?? ".",
    publish:
      read.optional("publish", (given) => decodeChoice(given, ["directory", "files"] as const)) ??
      "directory",
    svid: all ? { certificates, key, bundle } : undefined,
    credential: read.text("credential_file_name") ?? (delivery && "credential-bundle.private-key.pem"),
    trustDomainBundle:
      read.optional("trust_domain_bundle_file_name", decodePattern) ??
      (delivery && "{trust_domain}.spiffe-trust-bundle.pem"),
    jwtBundle: read.text("jwt_bundle_file_name"),
    modes: {
      cert: read.mode("cert_file_mode", 0o644),
      key: read.mode("key_file_mode", 0o600),
      jwtBundle: read.mode("jwt_bundle_file_mode", 0o600),
      jwtSvid: read.mode("jwt_svid_file_mode", 0o600),
    },
    owner: read.optional("file_owner", decodeOwner),
    addIntermediatesToBundle: read.boolean("add_intermediates_to_bundle", false),
    includeFederatedDomains: read.boolean("include_federated_domains", false),
    omitExpired: read.boolean("omit_expired", false),
  };
}

function decodePattern(given: Given): string {
  const pattern = decodeString(given);
  if (pattern.split("{trust_domain}").length === 2) return pattern;
  throw invalid(given.where, `${given.key} must hold {trust_domain} once`, 'such as "{trust_domain}.pem"');
}

function decodeOwner(given: Given): { uid: number; gid: number } {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(decodeString(given)) ?? [];
  if (uid === undefined)
    throw invalid(given.where, "file_owner is not uid:gid in numbers", 'such as "999:999"');
  return { uid: Number(uid), gid: Number(gid) };
}

function resolveCommand(read: Reader, wrapped: readonly string[]): CommandConfig | undefined {
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

function check(config: HelperConfig, given: GivenConfig): void {
  const { files, jwtSvids, pidFile, renewSignal, daemonMode, command } = config;
  const refuse = (key: ScalarKey, message: string, hint?: string): never => {
    throw invalid(given.scalars.get(key)?.where ?? "the configuration", message, hint);
  };
  if (pidFile !== undefined && renewSignal === undefined) {
    refuse("pid_file_name", "pid_file_name needs renew_signal", 'such as renew_signal = "SIGHUP"');
  }
  if (pidFile !== undefined && !daemonMode)
    refuse("pid_file_name", "pid_file_name makes no sense with daemon_mode=false");
  if (command?.wrapped === true && !daemonMode) {
    throw new HelperError("ERR_HELPER_CONFIG", "a command behind -- makes no sense with daemon_mode=false");
  }
  if (!hasX509(files) && jwtSvids.length === 0 && files.jwtBundle === undefined) {
    throw new HelperError("ERR_HELPER_CONFIG", "nothing is to be written", {
      hint: "give svid_file_name, svid_key_file_name and svid_bundle_file_name, or jwt_svids, or jwt_bundle_file_name",
    });
  }
  const { svid, credential, jwtBundle } = files;
  const names = [
    svid?.certificates,
    svid?.key,
    svid?.bundle,
    credential,
    jwtBundle,
    ...jwtSvids.map(({ fileName }) => fileName),
  ];
  const twice = names.find((name, index) => name !== undefined && names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new HelperError("ERR_HELPER_CONFIG", `two different files have the name ${twice}`);
}

function standingWarnings({ files, daemonMode, command, renewSignal }: HelperConfig): readonly string[] {
  const warnings: string[] = [];
  if (files.includeFederatedDomains && files.svid !== undefined) {
    warnings.push(
      `with include_federated_domains every authority in ${files.svid.bundle} can vouch for every trust domain; trust_domain_bundle_file_name keeps them apart`,
    );
  }
  if (!daemonMode && command !== undefined) warnings.push("cmd is ignored with daemon_mode=false");
  if (!daemonMode && renewSignal !== undefined)
    warnings.push("renew_signal is ignored with daemon_mode=false");
  return warnings;
}

/** Whether anything of an X509-SVID is to be written. */
export function hasX509({ svid, credential, trustDomainBundle }: FilesConfig): boolean {
  return svid !== undefined || credential !== undefined || trustDomainBundle !== undefined;
}
