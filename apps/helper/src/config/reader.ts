import { invalid } from "../config-error.ts";
import { decodeBoolean, decodeInteger, decodeString, type Given } from "./decode.ts";
import type { GivenConfig } from "./given-config.ts";
import type { ScalarKey } from "./keys.ts";

/** Reads single values: undefined, or the fallback, when a key was not given or is empty, which are one to spiffe-helper. */
export interface ConfigReader {
  optional<T>(key: ScalarKey, decode: (given: Given) => T): T | undefined;
  text(key: ScalarKey): string | undefined;
  boolean(key: ScalarKey, fallback: boolean): boolean;
  mode(key: ScalarKey, fallback: number): number;
}

export function createReader(given: GivenConfig, warn: (warning: string) => void): ConfigReader {
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
