import { accessSync, constants, readdirSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { readAccount } from "./account.ts";

/** Programs of this machine that take part; undefined for those that it does not have. */
export interface Parts {
  /** The folder of `postgres` and `initdb`. */
  readonly postgres: string | undefined;
  readonly envoy: string | undefined;
}

const DEBIAN = "/usr/lib/postgresql";

export function findParts(env: Readonly<Record<string, string | undefined>>): Parts {
  const path = (env.PATH ?? "").split(delimiter).filter((directory) => directory !== "");
  return { postgres: findPostgres(path), envoy: env.NEWLEAF_ENVOY ?? find(path, "envoy") };
}

/** Debian keeps the server out of PATH; a link that leads to it is followed to where `initdb` is, too. */
function findPostgres(path: readonly string[]): string | undefined {
  if (readAccount() === "nobody") return undefined;
  const linked = find(path, "postgres");
  const candidates = [
    ...(linked === undefined ? [] : [dirname(realpathSync(linked))]),
    ...versionsOf(DEBIAN).map((version) => join(DEBIAN, version, "bin")),
  ];
  return candidates.find((directory) =>
    ["postgres", "initdb"].every((name) => isProgram(join(directory, name))),
  );
}

function versionsOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort((a, b) => Number(b) - Number(a));
  } catch {
    return [];
  }
}

function find(path: readonly string[], name: string): string | undefined {
  return path.map((directory) => join(directory, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
