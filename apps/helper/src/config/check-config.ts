import { insideName } from "@newleaf/daemon";
import { invalid } from "../config-error.ts";
import { HelperError } from "../error.ts";
import type { HelperConfig } from "./config.ts";
import { hasX509 } from "./files-config.ts";
import type { GivenConfig } from "./given-config.ts";
import type { ScalarKey } from "./keys.ts";

/** Refuses values that are good each and make no sense together. */
export function checkConfig(config: HelperConfig, given: GivenConfig): void {
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
  const named = [
    svid?.certificates,
    svid?.key,
    svid?.bundle,
    credential,
    jwtBundle,
    ...jwtSvids.map(({ fileName }) => fileName),
  ].filter((name) => name !== undefined);
  const names = named.map((name) => {
    const inside = insideName(name);
    if (inside !== undefined) return inside;
    throw new HelperError("ERR_HELPER_CONFIG", `${JSON.stringify(name)} names no file inside cert_dir`);
  });
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new HelperError("ERR_HELPER_CONFIG", `two different files have the name ${twice}`);
}

/** What works and is likely not meant, in sentences. */
export function standingWarnings({
  files,
  daemonMode,
  command,
  renewSignal,
}: HelperConfig): readonly string[] {
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
