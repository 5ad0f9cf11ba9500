import { type FSWatcher, statSync, watch } from "node:fs";
import { basename } from "node:path";
import type { Lookups } from "./trace-lookups.ts";

/** `fs.watch`, as far as it is used here. */
export type WatchDirectory = (
  directory: string,
  listener: (event: string, name: string | null) => void,
) => FSWatcher;

export interface DirectoryWatcher {
  /** Watches exactly these entries from now on; true when a directory is watched that was not before. */
  arm(wanted: Lookups): boolean;
  /** The directories that cannot be watched, and why. */
  failures(): ReadonlyMap<string, string>;
  close(): void;
}

interface Armed {
  readonly watcher: FSWatcher;
  readonly inode: string;
  names: ReadonlySet<string>;
  /** The directory itself was deleted or moved: its number may come back with another directory. */
  gone: boolean;
}

/**
 * Watches directories, never files: a watched file is lost with the first rename over it. A watch belongs to an
 * inode, so one whose path leads elsewhere by now is replaced when armed again.
 */
export function createDirectoryWatcher(
  onEvent: (event: string, name: string | null) => void,
  watchDirectory: WatchDirectory = watchUnreferenced,
): DirectoryWatcher {
  const armed = new Map<string, Armed>();
  const failed = new Map<string, string>();

  function arm(directory: string, names: ReadonlySet<string>): boolean {
    const inode = inodeOf(directory);
    const before = armed.get(directory);
    if (before && !before.gone && before.inode === inode) {
      before.names = names;
      return false;
    }
    disarm(directory);
    if (inode === undefined) return false;
    try {
      const watcher = watchDirectory(directory, (event, name) => notice(directory, event, name));
      watcher.on("error", (error) => {
        disarm(directory);
        failed.set(directory, reasonOf(error));
      });
      armed.set(directory, { watcher, inode, names, gone: false });
      failed.delete(directory);
      return true;
    } catch (error) {
      failed.set(directory, reasonOf(error));
      return false;
    }
  }

  function notice(directory: string, event: string, name: string | null): void {
    const entry = armed.get(directory);
    if (!entry) return;
    // What happens to the directory itself comes under its own name.
    const self = name === basename(directory);
    if (self && event === "rename") entry.gone = true;
    if (name === null || self || entry.names.has(name)) onEvent(event, name);
  }

  function disarm(directory: string): void {
    armed.get(directory)?.watcher.close();
    armed.delete(directory);
  }

  return {
    arm(wanted) {
      for (const directory of armed.keys()) if (!wanted.has(directory)) disarm(directory);
      for (const directory of failed.keys()) if (!wanted.has(directory)) failed.delete(directory);
      let changed = false;
      for (const [directory, names] of wanted) changed = arm(directory, names) || changed;
      return changed;
    },
    failures: () => failed,
    close() {
      for (const directory of [...armed.keys()]) disarm(directory);
    },
  };
}

function watchUnreferenced(
  directory: string,
  listener: (event: string, name: string | null) => void,
): FSWatcher {
  return watch(directory, { persistent: false }, listener);
}

// tmpfs and ext4 give a deleted directory's number to the next one: the time of birth tells them apart.
function inodeOf(directory: string): string | undefined {
  try {
    const { dev, ino, birthtimeNs } = statSync(directory, { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
