import { readlinkSync } from "node:fs";
import { basename, dirname, isAbsolute, join, sep } from "node:path";

/** Directories to watch, each with the names in it that matter. */
export type Lookups = Map<string, Set<string>>;

/** The kernel's own limit on links in one lookup (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Every directory entry whose change can change what one of the paths leads to: the file itself, each symbolic
 * link on the way, and the directory that holds the file, seen from its parent (it may be replaced). Where the way
 * ends early, the first missing entry. Entries further up are left to polling.
 */
export function traceLookups(paths: readonly string[]): Lookups {
  const lookups: Lookups = new Map();
  for (const path of paths) {
    trace(path, lookups);
    trace(join(dirname(path), "..data"), lookups);
  }
  return lookups;
}

function trace(path: string, lookups: Lookups): void {
  const ahead = componentsOf(path);
  let directory = "/";
  for (let links = 0; links <= MOST_LINKS; ) {
    const name = ahead.shift();
    if (name === undefined) return;
    const target = name === ".." ? "" : readLink(join(directory, name));
    const isLink = target !== undefined && target !== "";
    // What lies behind `..data` is never changed, only replaced.
    const ends = target === undefined || name === "..data" || target.startsWith(`..data${sep}`);
    if (ends || isLink || ahead.length === 0) add(directory, name, lookups);
    if (ends || (!isLink && ahead.length === 0)) {
      add(dirname(directory), basename(directory), lookups);
      return;
    }
    if (isLink) {
      links++;
      if (isAbsolute(target)) directory = "/";
      ahead.unshift(...componentsOf(target));
    } else {
      directory = join(directory, name);
    }
  }
}

/** The target of a link, "" when it is none, undefined when nothing is there. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? undefined : "";
  }
}

function add(directory: string, name: string, lookups: Lookups): void {
  const names = lookups.get(directory) ?? new Set();
  names.add(name);
  lookups.set(directory, names);
}

function componentsOf(path: string): string[] {
  return path.split(sep).filter((name) => name !== "" && name !== ".");
}
